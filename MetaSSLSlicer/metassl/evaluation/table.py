"""The evaluation as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metassl.project.words import count as counted

from .region_errors import REGIONS

MEANING = {
    "UC": "networks agree, confident",
    "US": "networks agree, not confident",
    "DC": "networks differ, confident",
    "DS": "networks differ, not confident",
}


def format_table(result: Mapping[str, Any]) -> str:
    """The result of `evaluate` as aligned plain text."""
    count, failed = result["n_cases"], result["failed"]
    blocks = [f"{counted(count, 'case')} evaluated"]
    if count:
        blocks += [_structures(result)]
    if any(result["regions"][name]["voxels"] for name in REGIONS.values()):
        blocks += [_regions(result)]
    if result["uncertainty"]["voxels"]:
        blocks += [_uncertainty(result)]
    if result.get("predicted_dice"):
        blocks += [_predicted_dice(result["predicted_dice"])]
    if failed:
        lines = [f"{len(failed)} not evaluated:", *(f"  {reason}" for reason in failed.values())]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _structures(result: Mapping[str, Any]) -> str:
    rows = [["structure", "Dice", "95 % interval", "HD95 mm", "ASSD mm", "missed", "invented"]]
    metrics = [result[key] for key in ("dice", "hd95_mm", "assd_mm")]
    for name in result["labels"]:
        dice, hd95, assd = (metric["per_class"][name] for metric in metrics)
        interval = _interval(metrics[0]["per_class_interval"][name])
        missed, invented = (str(result[key][name]) for key in ("missed", "invented"))
        rows.append([name, figure(dice), interval, figure(hd95, 2), figure(assd, 2), missed, invented])
    dice, hd95, assd = (metric["mean"] for metric in metrics)
    totals = (str(sum(result[key].values())) for key in ("missed", "invented"))
    rows.append(["mean", figure(dice), _interval(metrics[0]["interval"]), figure(hd95, 2), figure(assd, 2), *totals])
    return aligned(rows, "lrrrrrr")


def _regions(result: Mapping[str, Any]) -> str:
    rows = [["region", "", "P(error)", "95 % interval", "of volume", "of errors"]]
    for name, row in result["regions"].items():
        rates = [share(row["error_rate"], 2), _interval(row["error_rate_interval"], percent=True)]
        shares = [share(row["share_of_volume"]), share(row["share_of_errors"])]
        rows.append([name, MEANING[name], *rates, *shares])
    flagged = result["flagged"]
    sentence = (
        f"US, DC and DS together hold {share(flagged['share_of_errors'])} of the errors "
        f"in {share(flagged['share_of_volume'])} of the volume."
    )
    return f"{aligned(rows, 'llrrrr')}\n{sentence}"


def _uncertainty(result: Mapping[str, Any]) -> str:
    rows = [["uncertainty", "AUROC", "95 % interval", "AUPRC", "calibration error"]]
    band = result["band"]
    where = {"all voxels": result["uncertainty"], f"within {band['within_voxels']} voxels": band}
    learnt = band.get("error_probability")
    if learnt:
        where["learnt P(error), there"] = learnt
    for name, row in where.items():
        interval = _interval(row["auroc_interval"])
        rows.append([name, figure(row["auroc"]), interval, figure(row["auprc"]), figure(row["ece"])])
    top = band["errors_in_flagged_share"]
    shares = " / ".join(figure(None if part is None else 100 * part, 1) for part in top.values())
    sentence = f"The flagged share of {' / '.join(top)} % of these holds {shares} % of their errors."
    if learnt:
        found = learnt["errors_in_flagged_share"].values()
        shares = " / ".join(figure(None if part is None else 100 * part, 1) for part in found)
        sentence += f"\nBy the learnt P(error), the first {' / '.join(top)} % hold {shares} %."
    return f"{aligned(rows, 'lrrrr')}\n{sentence}"


def _predicted_dice(agreement: Mapping[str, Any]) -> str:
    return (
        f"Predicted Dice: Spearman {figure(agreement['spearman'], 2)} with the true Dice "
        f"({_interval(agreement['spearman_interval'])}) over {counted(agreement['cases'], 'case')}, off by "
        f"{figure(agreement['mean_error'])} on average; its {share(agreement['level'], 0)} interval held "
        f"{share(agreement['coverage'], 0)} of them."
    )


def aligned(rows: Sequence[Sequence[str]], sides: str) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(sides))]
    lines = []
    for row in rows:
        cells = [
            text.ljust(width) if side == "l" else text.rjust(width)
            for text, width, side in zip(row, widths, sides, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def figure(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def share(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def _interval(interval: Sequence[float | None], percent: bool = False) -> str:
    low, high = interval
    if low is None or high is None:
        return "-"
    return f"{100 * low:.2f} to {100 * high:.2f} %" if percent else f"{low:.3f} to {high:.3f}"
