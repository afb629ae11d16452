"""What a widget is shown is not what a user has chosen: it is set without the widget's signals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def withoutSignals(widget) -> Iterator[None]:
    """No signal of `widget` calls back while the block runs; signals that were blocked before stay so."""
    before = widget.blockSignals(True)
    try:
        yield
    finally:
        widget.blockSignals(before)
