"""Unsaved edits, written to the project now and then, and what a killed Slicer left of them."""
