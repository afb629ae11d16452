"""Which case to look at next: a registry of strategies, one short file each."""

from .base import DEFAULT, STRATEGIES, Scored, Strategy, get_strategy, register
from .discrepancy import Discrepancy
from .entropy import Entropy
from .random_order import RandomOrder
from .rank import rank

__all__ = [
    "DEFAULT",
    "STRATEGIES",
    "Discrepancy",
    "Entropy",
    "RandomOrder",
    "Scored",
    "Strategy",
    "get_strategy",
    "rank",
    "register",
]
