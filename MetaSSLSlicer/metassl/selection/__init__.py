"""Which case to look at next: strategies, one short file each; `metassl.choices.strategies` lists them."""

from .base import Scored, Strategy, get_strategy
from .candidate import Candidate
from .context import Context, LabelledCase

__all__ = ["Candidate", "Context", "LabelledCase", "Scored", "Strategy", "get_strategy"]
