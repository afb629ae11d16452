"""The comparison as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metassl.evaluation.table import aligned, figure, share
from metassl.project.words import count as counted

TOP = "errors in top 1/5/10/15 %"
HEADS = ["score", "passes", "s/case", "AUROC", "95 % interval", "AUPRC", "ECE", "calibrated", TOP, "own Dice"]


def format_comparison(result: Mapping[str, Any]) -> str:
    """What `compare` returned, as aligned plain text."""
    count = len(result["cases"])
    lines = [f"{counted(count, 'case')}, within {result['within_voxels']} voxels of a structure"]
    if result["methods"]:
        lines += [
            aligned([HEADS, *(_row(row) for row in result["methods"])], "lrrrrrrrrr"),
            "All are measured against the errors of the segmentation that is shown, the pair's mean.",
            "ECE: gap between score and share of errors; calibrated: after a rising map fitted on the other cases.",
            "",
            aligned([["region", "P(error)", "of band", "of errors"], *_regions(result["regions"])], "lrrr"),
        ]
    lines += [f"left out: {reason}" for reason in result["failed"].values()]
    return "\n".join(lines)


def _row(row: Mapping[str, Any]) -> list[str]:
    low, high = row["auroc_interval"]
    top = [figure(None if part is None else 100 * part, 0) for part in row["errors_in_flagged_share"].values()]
    return [
        row["name"],
        str(row["passes"]),
        figure(row["seconds"], 2),
        figure(row["auroc"]),
        "-" if low is None else f"{low:.3f} to {high:.3f}",
        figure(row["auprc"]),
        figure(row["ece"]),
        figure(row["ece_calibrated"]),
        " / ".join(top),
        figure(row["dice"]["mean"]),
    ]


def _regions(regions: Mapping[str, Any]) -> list[list[str]]:
    return [
        [name, share(row["error_rate"]), share(row["share_of_volume"]), share(row["share_of_errors"])]
        for name, row in regions.items()
    ]
