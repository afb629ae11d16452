"""Slicer's scene: its volumes, segments and views, whatever they are used for."""
