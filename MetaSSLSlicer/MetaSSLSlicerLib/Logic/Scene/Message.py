"""Something to tell the user, shown in the panel's banner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """`level`: "info", "warning" or "error". `action`, with its button's text: what the user may do about it.

    `isOfCase`: the action is about the case that is open now, and goes when that is closed.
    """

    level: str
    text: str
    actionText: str = ""
    action: Callable[[], None] | None = None
    isOfCase: bool = False
