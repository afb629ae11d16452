"""The runs of a results file, put together over their seeds: what table and plot show."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from metassl.files.errors import MetaSSLError

from metassl_research.benchmark.settings import FLOOR, LOSS_ORDER


@dataclass(frozen=True)
class Paired:
    """Mean and standard error (None with a single pair) of differences that are paired; how many are above 0, below."""

    mean: float
    error: float | None
    pairs: int
    above: int
    below: int

    @staticmethod
    def of(first: Mapping[Any, float], second: Mapping[Any, float]) -> Paired | None:
        """first - second, both {seed, or what else pairs them: value}; None when they have none in common."""
        both = [first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())]
        both = [value for value in both if not math.isnan(value)]
        if not both:
            return None
        error = float(np.std(both, ddof=1) / math.sqrt(len(both))) if len(both) > 1 else None
        above, below = sum(value > 0 for value in both), sum(value < 0 for value in both)
        return Paired(float(np.mean(both)), error, len(both), above, below)


class Row:
    """All runs of one framework, loss, number of labels and noise. role: "floor", "ceiling" or ""."""

    def __init__(self, runs: list[dict[str, Any]], training_cases: int) -> None:
        first = runs[0]
        self.framework, self.loss, self.labelled, self.noisy = (
            first[key] for key in ("framework", "loss", "labelled", "noisy")
        )
        self.runs = {run["seed"]: run for run in sorted(runs, key=lambda run: run["seed"])}
        self.role = ""
        if (self.framework, self.loss, self.noisy) == (FLOOR, "plain", None):
            self.role = "ceiling" if self.labelled == training_cases else "floor"

    @property
    def seeds(self) -> list[int]:
        return list(self.runs)

    @property
    def seconds(self) -> np.ndarray:
        """(seeds,)"""
        return np.array([run["seconds"] for run in self.runs.values()], float)

    def by_seed(self, model: str, metric: str, structure: str | None = None) -> dict[int, float]:
        """{seed: value}; model: "last" or "best"; over all structures, or of one. NaN where it is not known."""
        found = {}
        for seed, run in self.runs.items():
            values = (run[model] or {}).get(metric)
            value = None
            if values is not None:
                value = values["mean"] if structure is None else values["per_class"].get(structure)
            found[seed] = math.nan if value is None else value
        return found

    def values(self, model: str, metric: str, structure: str | None = None) -> np.ndarray:
        """The same as an array (seeds,)."""
        return np.array(list(self.by_seed(model, metric, structure).values()), float)

    def of_map(self, read: Callable[[dict[str, Any]], float | None]) -> np.ndarray:
        """(seeds,) figures that `read(last)` finds in what was measured of the last model; NaN where there is none."""
        found = [read(run["last"]) for run in self.runs.values()]
        return np.array([math.nan if value is None else value for value in found], float)


class Summary:
    """rows: by number of labels; floors before frameworks, plain before metassl, the ceiling at the end of all."""

    def __init__(self, content: dict[str, Any]) -> None:
        """content: of a results file. MetaSSLError when it has no run yet."""
        if not content["runs"]:
            raise MetaSSLError("no run of this benchmark is finished yet: run it without --table to go on")
        self.settings, self.structures = content["settings"], content["labels"]
        train = len(content["cases"]["train"])
        groups: dict[tuple, list[dict[str, Any]]] = {}
        for run in content["runs"]:
            groups.setdefault((run["framework"], run["loss"], run["labelled"], run["noisy"]), []).append(run)
        frameworks = [FLOOR, *self.settings["frameworks"]]
        rows = [Row(runs, train) for runs in groups.values()]
        rows.sort(
            key=lambda r: (r.role == "ceiling", r.labelled, frameworks.index(r.framework), LOSS_ORDER.index(r.loss))
        )
        self.rows = [row for row in rows if row.noisy is None]
        self.noisy = [row for row in rows if row.noisy is not None]

    def find(self, framework: str, loss: str, labelled: int) -> Row | None:
        """The row of clean annotations."""
        wanted = (framework, loss, labelled)
        return next((row for row in self.rows if (row.framework, row.loss, row.labelled) == wanted), None)

    @property
    def ceiling(self) -> Row | None:
        return next((row for row in self.rows if row.role == "ceiling"), None)

    @property
    def counts(self) -> list[int]:
        """Numbers of labelled cases, without the ceiling's."""
        return sorted({row.labelled for row in self.rows if row.role != "ceiling"})

    def gain(self, *rows: Row, metric: str = "dice") -> Paired | None:
        """Of rows with MetaSSL: their figure less that of the plain loss, paired by framework and seed."""
        own: dict[tuple, float] = {}
        plain: dict[tuple, float] = {}
        for row in rows:
            base = self.find(row.framework, "plain", row.labelled)
            for side, each in ((own, row), (plain, base)):
                if row.loss == "metassl" and each is not None:
                    values = each.by_seed("last", metric)
                    side.update({(row.framework, row.labelled, seed): value for seed, value in values.items()})
        return Paired.of(own, plain)

    def of_ceiling(self, row: Row, model: str = "last") -> float | None:
        """The share of the ceiling's mean Dice, over the seeds that both have."""
        if self.ceiling is None:
            return None
        own, top = row.by_seed(model, "dice"), self.ceiling.by_seed(model, "dice")
        both = own.keys() & top.keys()
        whole = sum(top[seed] for seed in both)
        share = sum(own[seed] for seed in both) / whole if whole else math.nan
        return None if math.isnan(share) else share

    def lost(self, row: Row) -> Paired | None:
        """Of a row with noisy annotations: the Dice that the clean ones gave, less its own."""
        clean = self.find(row.framework, row.loss, row.labelled)
        return None if clean is None else Paired.of(clean.by_seed("last", "dice"), row.by_seed("last", "dice"))


def known_seeds(rows: Iterable[Row]) -> list[int]:
    return sorted({seed for row in rows for seed in row.seeds})
