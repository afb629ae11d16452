"""What is said of a place, to the reviewer in Slicer and in the report."""

from __future__ import annotations

from collections.abc import Callable

from ..effort.words import roundly
from ..words import NO_BREAK
from .search import Place


def place_text(place: Place, _: Callable[[str], str] = str) -> str:
    """ "Liver: networks differ, both unsure, 0.31 ml, 42 % chance to be wrong, about 10 s". `_` translates."""
    text = _("{where}: {region}, {volume}, {chance}")
    if place.work_seconds is not None:
        text = _("{where}: {region}, {volume}, {chance}, about {seconds} s")
    return text.format(
        seconds=roundly(place.work_seconds or 0.0),
        where=where_text(place, _),
        region=region_text(place, _),
        volume=volume_text(place.ml).replace(NO_BREAK, " "),
        chance=chance_text(place, _),
    )


def position_text(place: Place, count: int, _: Callable[[str], str] = str) -> str:
    """ "3 of 12"."""
    return _("{rank} of {count}").format(rank=place.rank, count=count)


def where_text(place: Place, _: Callable[[str], str] = str) -> str:
    """The structure that is predicted at the cross, or which one is near."""
    if not place.structure:
        return _("outside")
    if place.disputed:
        return _("{structure} or outside").format(structure=place.structure)
    if place.outside:
        return _("outside, near {structure}").format(structure=place.structure)
    return place.structure


def region_text(place: Place, _: Callable[[str], str] = str) -> str:
    """What the two networks say in most of it."""
    return {
        "US": _("networks agree, but are unsure"),
        "DC": _("networks differ, one is sure"),
        "DS": _("networks differ, both unsure"),
    }[place.main_region]


def chance_text(place: Place, _: Callable[[str], str] = str) -> str:
    """How likely its voxels are wrong, in whole per cent."""
    return _("chance to be wrong not yet measured") if place.chance is None else chance_words(place.chance, _)


def chance_words(chance: float, _: Callable[[str], str] = str) -> str:
    """ "42 % chance to be wrong", of a chance of 0..1."""
    if chance < 0.01:
        return _("less than 1 % chance to be wrong")
    return _("{percent} % chance to be wrong").format(percent=f"{100 * chance:.0f}")


def millilitres(ml: float) -> str:
    """A volume in ml, without that unit, with as many decimals as make sense; smaller ones have a unit of their own."""
    if not 0 < ml < 0.001:
        decimals = 3 if ml < 0.0995 else 2 if ml < 9.95 else 1 if ml < 99.5 else 0
        return f"{ml:,.{decimals}f}"
    if ml >= 1e-6:
        return f"{_two_digits(ml * 1e3)}{NO_BREAK}mm³"
    return f"{_two_digits(ml * 1e12)}{NO_BREAK}µm³"


def volume_text(ml: float) -> str:
    """A volume with its unit, such as "0.31 ml" or "0.051 mm³"."""
    return millilitres(ml) if 0 < ml < 0.001 else f"{millilitres(ml)}{NO_BREAK}ml"


def _two_digits(number: float) -> str:
    return f"{float(f'{number:.2g}'):,.10g}"
