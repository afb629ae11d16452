"""Whole experiments where every label is known: hosts, strategies and kinds of doubt, each compared alike."""
