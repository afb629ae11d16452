"""How far the map can be believed, as the round measured it: on validation cases and on corrections."""

from __future__ import annotations

from typing import Any

from ..region_errors import REGIONS
from .charts import swatch
from .content import Content
from .markup import Markup, join, table, tag
from .words import NONE, number, percent

_SIDES = "lrrrr"


def calibration_section(content: Content) -> Markup | None:
    """P(error | region, class), the areas, and what the uncertainty finds; None before anything was measured."""
    measured = content.measured
    if not measured or not measured.get("band"):
        return None
    band = measured["band"]
    lead = (
        f"{content.measured_from.capitalize()}, within {band['within_voxels']} voxels of a structure, predicted or "
        "annotated."
    )
    tables = tag("div", _rates(band), class_="calibration")
    return tag(
        "section",
        tag("h2", "How far the map can be believed"),
        tag("p", lead, class_="lead"),
        tables,
        _uncertainty(measured),
        _dice(measured.get("dice_model")),
        id="calibration",
    )


def _rates(band: dict[str, Any]) -> Markup:
    rows = [
        [tag("th", name, scope="row"), *(percent(row[region]["error_rate"]) for region in REGIONS.values())]
        for name, row in band["classes"].items()
    ]
    regions = band["regions"]
    for title, key in (
        ("All classes", "error_rate"),
        ("Share of this band", "share_of_volume"),
        ("Share of its errors", "share_of_errors"),
    ):
        cells = (percent(regions[region][key]) for region in REGIONS.values())
        rows.append([tag("th", title, scope="row", class_="total" if key == "error_rate" else None), *cells])
    heads = ["P(error) where the map shows", *(swatch(region) for region in REGIONS.values())]
    return table(heads, rows, _SIDES)


def _uncertainty(measured: dict[str, Any]) -> Markup | None:
    found = measured.get("uncertainty")
    if not found:
        return None
    rows = [_score("Uncertainty", found, found.get("ece_calibrated"))]
    learnt = measured.get("error_model")
    if learnt and learnt["kept"]:
        rows.append(_score("Learnt P(error), on cases left out", learnt["error_probability"], None))
    top = list(found["errors_in_flagged_share"])
    heads = ["", "AUROC", "AUPRC", "Calibration error", "Calibrated", *(f"Errors in top {share} %" for share in top)]
    return join([tag("h3", "Does it find the errors?"), table(heads, rows, "lrrrr" + "r" * len(top))])


def _score(title: str, row: dict[str, Any], calibrated: float | None) -> list[Any]:
    shares = (percent(share) for share in row["errors_in_flagged_share"].values())
    figures = (number(row[key]) for key in ("auroc", "auprc", "ece"))
    return [tag("th", title, scope="row"), *figures, number(calibrated), *shares]


def _dice(model: dict[str, Any] | None) -> Markup | None:
    if not model:
        return None
    width = model["interval"]["mean"]
    text = (
        f"The Dice of a case without an annotation is predicted from {model['cases']} measured ones: within "
        f"{number(width)} of the true one in {percent(model['level'])} of cases."
    )
    return tag("p", text, class_="source")


def expected_dice(summary: dict[str, Any] | None) -> str:
    """ "0.84 (0.79 to 0.89)", or a dash where it was not predicted."""
    predicted = (summary or {}).get("predicted_dice")
    if not predicted:
        return NONE
    low, high = predicted["interval"]
    return f"{number(predicted['mean'], 2)} ({number(low, 2)} to {number(high, 2)})"
