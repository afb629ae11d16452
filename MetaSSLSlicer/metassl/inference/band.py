"""The surroundings of a structure."""

from __future__ import annotations

BAND_VOXELS = 2
"""So far round the predicted structures a reader looks: summaries and the thresholds of the map are of this band."""
