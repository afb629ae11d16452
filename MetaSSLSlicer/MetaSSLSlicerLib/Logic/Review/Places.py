"""The uncertain places of the open case, and what is said of one."""

from __future__ import annotations

from collections.abc import Iterable

from metassl.project import LabelDefinition
from metassl.project.places.search import Place, find_places
from metassl.project.places.words import place_text, position_text

from ...Translation import _
from ..Case.CaseFiles import CaseData
from .HeatMaps import ERROR_PROBABILITY, UNCERTAINTY, HeatMap

__all__ = ["Place", "findPlaces", "placeText", "positionText"]


def findPlaces(data: CaseData, labels: Iterable[LabelDefinition], heat: HeatMap | None) -> list[Place]:
    """Those of a predicted case, by its most telling map. May run in a thread."""
    prediction, maps = data.prediction, dict([heat] if heat is not None else [])
    return find_places(
        prediction.segmentation,
        prediction.regions,
        data.geometry,
        labels,
        prediction.errorRates,
        maps.get(ERROR_PROBABILITY),
        maps.get(UNCERTAINTY),
    )


def placeText(place: Place) -> str:
    """Where it is, what the networks say there, how large it is, and how likely wrong: in one line."""
    return place_text(place, _)


def positionText(place: Place, count: int) -> str:
    """ "3 of 12"."""
    return position_text(place, count, _)
