"""Where to look in a predicted case: one search for the reviewer in Slicer, for the report and for its pictures."""

from .search import Place, deepest, find_places
from .words import millilitres, place_text, position_text

__all__ = ["Place", "deepest", "find_places", "millilitres", "place_text", "position_text"]
