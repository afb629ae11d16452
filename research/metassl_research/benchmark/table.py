"""A benchmark as text: tables for the terminal, and a page of Markdown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from metassl.evaluation.region_errors import REGIONS
from metassl.evaluation.table import figure, share

from metassl_research.benchmark.summary import Paired, Row, Summary, known_seeds
from metassl_research.text import markdown_table, spread, training_length

METRICS = (("dice", "Dice", 3), ("hd95_mm", "HD95 mm", 2), ("assd_mm", "ASSD mm", 2))


def main_rows(summary: Summary) -> list[list[str]]:
    """Means over the structures; what MetaSSL adds, and how far it is to the ceiling."""
    heads = ["labelled", "framework", "loss", "Dice", "best Dice", "HD95 mm", "best", "ASSD mm", "best"]
    body = []
    for row in summary.rows:
        figures = [
            spread(row.values(model, metric), digits) for metric, _, digits in METRICS for model in ("last", "best")
        ]
        gain = paired(summary.gain(row))
        body.append([*_name(row), *figures, _minutes(row), share(summary.of_ceiling(row)), gain])
    return [[*heads, "minutes", "of ceiling", "metassl - plain"], *body]


def gain_rows(summary: Summary) -> list[list[str]]:
    """What MetaSSL changes, framework by framework and over all of them; empty where no framework was run with both
    losses.
    """
    body = []
    for labelled in summary.counts:
        rows = [row for row in summary.rows if row.labelled == labelled and summary.gain(row)]
        for name, chosen in [(row.framework, [row]) for row in rows] + ([("all", rows)] if len(rows) > 1 else []):
            cells = [str(labelled), name]
            for metric, _, digits in METRICS:
                found = summary.gain(*chosen, metric=metric)
                cells += [paired(found, digits), _better(found, rises=metric == "dice")]
            body.append(cells)
    heads = ["labelled", "framework", *(head for _, title, _ in METRICS for head in (title, "better"))]
    return [heads, *body] if body else []


def structure_rows(summary: Summary) -> list[list[str]]:
    """Every structure for itself."""
    heads = ["labelled", "framework", "loss", "structure", "Dice", "best Dice", "HD95 mm", "best", "ASSD mm", "best"]
    body = []
    for row in summary.rows:
        for name in summary.structures:
            figures = [
                spread(row.values(model, metric, name), digits)
                for metric, _, digits in METRICS
                for model in ("last", "best")
            ]
            body.append([*_name(row), name, *figures])
    return [heads, *body]


def map_rows(summary: Summary) -> list[list[str]]:
    """P(error) and share of every region, AUROC, and the errors in the flagged 15 %; of the last models."""
    heads = ["labelled", "framework", "loss"]
    heads += [f"{name} {what}" for name in REGIONS.values() for what in ("P(error)", "of band")]
    body = []
    for row in summary.rows:
        cells = _name(row)
        for name in REGIONS.values():
            for key in ("error_rate", "share"):
                cells.append(spread(row.of_map(_at("regions", name, key))))
        cells.append(spread(row.of_map(_at("auroc"))))
        cells.append(spread(row.of_map(_at("errors_in_15_percent"))))
        for key in ("auroc", "errors_in_15_percent"):
            cells.append(spread(row.of_map(_at("learnt", key))))
        body.append(cells)
    return [[*heads, "AUROC", "errors in 15 %", "AUROC, learnt", "errors, learnt"], *body]


def _at(*path: str) -> Callable[[Any], float | None]:
    """Reads what stands at a path of names; None where a step leads nowhere."""

    def read(found: Any) -> float | None:
        for name in path:
            found = (found or {}).get(name)
        number: float | None = found
        return number

    return read


def noisy_rows(summary: Summary) -> list[list[str]]:
    """What wrong annotations cost; empty when there were none."""
    if not summary.noisy:
        return []
    heads = ["labelled", "framework", "loss", "noisy", "Dice", "Dice lost"]
    return [
        heads,
        *(
            [
                *_name(row),
                share(row.noisy, 0),
                spread(row.values("last", "dice")),
                paired(summary.lost(row)),
            ]
            for row in summary.noisy
        ),
    ]


def paired(found: Paired | None, digits: int = 3) -> str:
    """ "+0.012 ± 0.004": with the standard error."""
    if found is None:
        return ""
    error = "" if found.error is None else f" ± {found.error:.{digits}f}"
    return f"{found.mean:+.{digits}f}{error}"


def _better(found: Paired | None, rises: bool) -> str:
    return "" if found is None else f"{found.above if rises else found.below} of {found.pairs}"


def markdown(content: dict[str, Any], summary: Summary, plot: str) -> str:
    """The page: what was done, the tables, the plot, how to read them."""
    settings, cases = summary.settings, content["cases"]
    length = training_length(settings)
    machines = sorted({f"{run['device']}, {run['threads']} threads" for run in content["runs"]})
    versions = content["runs"][-1]["versions"]
    lines = [
        f"# Benchmark on {settings['data']}",
        "",
        f"Each training: {length}, on {'; '.join(machines)}. {len(cases['train'])} cases to train on, the first N of "
        f"them labelled; {len(cases['validation'])} to choose the best checkpoint; {len(cases['test'])} test cases "
        f"that no training sees (split: {content['split']}). Seeds {', '.join(map(str, known_seeds(summary.rows)))}. "
        f"{', '.join(f'{name} {version}' for name, version in versions.items())}.",
        "",
        *markdown_table(main_rows(summary), 3),
        "",
        "Mean ± standard deviation over the seeds, of the last checkpoint and of the one that was best on the "
        "validation cases. *metassl - plain*: difference in Dice of the last checkpoints, paired by seed, ± its "
        "standard error. *of ceiling*: share of the Dice of supervised training with all labels.",
        "",
        f"![Dice of every framework]({plot})",
        "",
    ]
    gains = gain_rows(summary)
    if gains:
        lines += [
            "## What MetaSSL changes",
            "",
            "Against the same framework with the plain loss, last checkpoints, "
            "paired by framework and seed, ± standard error; "
            "in how many of the pairs it is better.",
            "",
            *markdown_table(gains, 2),
            "",
        ]
    noisy = noisy_rows(summary)
    if noisy:
        lines += [
            "## Noisy annotations",
            "",
            "A share of the labelled cases has an annotation that is eroded, dilated or shifted by 2 voxels, in turn. "
            "*Dice lost*: against the same training with clean annotations, paired by seed, ± standard error.",
            "",
            *markdown_table(noisy, 3),
            "",
        ]
    lines += [
        "## Every structure",
        "",
        *markdown_table(structure_rows(summary), 4),
        "",
        "## The region map",
        "",
        "In the band of 3 voxels around the structures, of the last checkpoints: how often each region is wrong and "
        "how much of the band it takes; AUROC of the uncertainty for wrong voxels; share of the errors in the most "
        "flagged 15 % of the band. *Learnt*: the same of P(error), which is learnt on the validation cases.",
        "",
        *markdown_table(map_rows(summary), 3),
        "",
    ]
    return "\n".join(lines)


def _name(row: Row) -> list[str]:
    labelled = f"all {row.labelled}" if row.role == "ceiling" else str(row.labelled)
    return [labelled, row.framework, f"{row.loss} ({row.role})" if row.role else row.loss]


def _minutes(row: Row) -> str:
    return figure(float(np.mean(row.seconds)) / 60)
