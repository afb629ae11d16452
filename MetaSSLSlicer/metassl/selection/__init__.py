"""Which case to look at next: a registry of strategies, one short file each."""

from . import clasp_pe, combined, discrepancy, diversity, entropy, foreground_random, random_order  # registers them
from .base import DEFAULT, STRATEGIES, Scored, Strategy, get_strategy, register
from .candidate import Candidate
from .context import Context, LabelledCase
from .rank import rank

__all__ = [
    "DEFAULT",
    "STRATEGIES",
    "Candidate",
    "Context",
    "LabelledCase",
    "Scored",
    "Strategy",
    "clasp_pe",
    "combined",
    "discrepancy",
    "diversity",
    "entropy",
    "foreground_random",
    "get_strategy",
    "random_order",
    "rank",
    "register",
]
