"""Whole experiments where every label is known: frameworks, strategies and kinds of uncertainty, compared alike."""
