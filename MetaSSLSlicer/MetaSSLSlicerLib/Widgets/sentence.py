"""Errors as sentences: the engine's begin with a small letter and have no full stop."""

from __future__ import annotations


def sentence(error: object) -> str:
    """The text of `error`, beginning with a capital and ending with a full stop."""
    text = str(error).strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
