"""A round: one training with all it used and all it produced, in its own folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from metassl.files.atomic import flush_folder, make_folder, write_text, writing
from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json, write_json
from metassl.files.json_kinds import by_name, having, list_of, number, text, texts, whole, whole_of

from .cases import check_case_id, now
from .former_names import renamed

_NUMBER = re.compile(r"[0-9]{4,}")


@dataclass(frozen=True)
class PredictionPaths:
    """The files of one predicted case. `summary` is written last."""

    folder: Path
    segmentation: Path
    regions: Path
    uncertainty: Path
    summary: Path

    @staticmethod
    def at(folder: Path) -> PredictionPaths:
        """The files in `folder`, whether or not they exist yet."""
        folder = Path(folder)
        return PredictionPaths(
            folder,
            folder / "segmentation.nrrd",
            folder / "regions.nrrd",
            folder / "uncertainty.nrrd",
            folder / "summary.json",
        )

    @property
    def error_probability(self) -> Path:
        """P(error) of every voxel: only there when the round could learn it."""
        return self.folder / "error_probability.nrrd"

    @property
    def deep_errors(self) -> Path:
        """How likely each voxel is wrong by more than the tolerance, before it is scaled, see `project.effort`."""
        return self.folder / "deep_errors.nrrd"

    @property
    def thinned(self) -> Path:
        """What was the summary, where the maps have been removed to free the disk."""
        return self.folder / "thinned.json"

    @property
    def maps(self) -> list[Path]:
        """All files that can be made again by predicting, whether or not they exist."""
        return [self.segmentation, self.regions, self.uncertainty, self.error_probability, self.deep_errors]

    @property
    def complete(self) -> bool:
        """True when every file of the prediction is there."""
        return self.summary.is_file()


class Round:
    """The folder rounds/NNNN of a project. `number` counts from 1; 0 is a model from elsewhere, as it came."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.number = int(self.path.name)
        self.project_path = self.path.parent.parent
        self.record_path = self.path / "round.json"
        self.status_path = self.path / "status.json"
        self.events_path = self.path / "events.jsonl"
        self.log_path = self.path / "log.txt"
        self.stop_path = self.path / "stop"
        self.wanted_path = self.path / "wanted"
        self.job_path = self.path / "job.json"
        self.plan_path = self.path / "plan.json"
        self.ranking_path = self.path / "ranking.json"
        self.inputs_path = self.path / "inputs.json"
        self.labelled_path = self.path / "labelled.json"
        self.error_rates_path = self.path / "error_rates.json"
        self.operating_point_path = self.path / "operating_point.json"
        self.checkpoints = self.path / "checkpoints"
        self.model_path = self.checkpoints / "model.pt"
        self.best_path = self.checkpoints / "best.pt"
        self.last_checkpoint_path = self.checkpoints / "last.pt"
        self.predictions = self.path / "predictions"

    @property
    def title(self) -> str:
        """What people are told, and what the project's lock is held for while it is trained: "round 0001"."""
        return f"round {self.number:04d}"

    def __repr__(self) -> str:
        return f"Round({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Round) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    @cached_property
    def record(self) -> dict[str, Any]:
        """What round.json says; written once, see `choose`. ProjectError when it is not there or damaged."""
        return read_record(self.record_path, self.number)

    @property
    def has_source(self) -> bool:
        """Whether its model comes from elsewhere, and nothing is trained."""
        return bool(self.record.get("source"))

    def write_record(self, record: dict[str, Any]) -> None:
        """Write round.json, once and for all; ProjectError when it is already written."""
        if self.record_path.exists():
            raise ProjectError(f"{self.record_path} is already written and is never changed")
        write_json(self.record_path, {"number": self.number, "created": now(), **record})

    def choose(self, config: Mapping[str, Any]) -> None:
        """Change these of the choices of a round that trains nothing, which only say how it predicts."""
        changed = {**self.record, "config": {**self.record["config"], **config}}
        write_json(self.record_path, changed)
        self.record = changed

    def want(self, case_id: str) -> None:
        """Ask the job of this round to predict a case before the others, as somebody waits for it."""
        write_text(self.wanted_path, f"{case_id}\n", durable=False)

    def wanted(self) -> str:
        """The case that was asked for last; "" for none."""
        try:
            return self.wanted_path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return ""

    def prediction(self, case_id: str) -> PredictionPaths:
        """Where this round's prediction of a case lies, or will lie."""
        return PredictionPaths.at(self.predictions / check_case_id(case_id))

    def predicted_cases(self) -> list[str]:
        """The ids of the cases with a complete prediction, sorted."""
        return [paths.folder.name for paths in self._begun() if paths.complete]

    def thinned_or_predicted(self) -> list[PredictionPaths]:
        """Where a prediction is, or was before its maps were removed, by case."""
        return [paths for paths in self._begun() if paths.complete or paths.thinned.is_file()]

    def _begun(self) -> list[PredictionPaths]:
        if not self.predictions.is_dir():
            return []
        folders = [folder for folder in self.predictions.iterdir() if folder.name[0] != "."]
        return [PredictionPaths.at(folder) for folder in sorted(folders)]


def round_path(rounds: Path, number: int) -> Path:
    """The folder of the round `number`."""
    return Path(rounds) / f"{number:04d}"


def list_rounds(rounds: Path) -> list[Round]:
    """The rounds that have a record, in order; half-made folders are left out."""
    return [found for found in _numbered(Path(rounds)) if found.record_path.is_file()]


def make_round(rounds: Path, first: int = 1) -> Round:
    """Make the folder of the next round, `first` where there is none; two processes never get the same one."""
    rounds = make_folder(Path(rounds))
    number = max((found.number + 1 for found in _numbered(rounds)), default=first)
    while True:
        path = round_path(rounds, number)
        with writing(path):
            try:
                path.mkdir()
            except FileExistsError:
                number += 1
                continue
        flush_folder(rounds)
        made = Round(path)
        make_folder(made.checkpoints, parents=False)
        make_folder(made.predictions, parents=False)
        return made


def trained_on(found: Round) -> set[str]:
    """The cases whose annotation the model has seen: those of its round and of the rounds that it went on from."""
    cases: set[str] = set()
    while found.record_path.is_file():
        cases |= set(found.record.get("labels") or {})
        parent = found.record.get("parent")
        if parent is None or parent >= found.number:
            break
        found = Round(round_path(found.path.parent, parent))
    return cases


def source_of(found: Round) -> dict[str, Any] | None:
    """What is known of the model from elsewhere with which the rounds that it went on from begin; None without one."""
    while found.record_path.is_file():
        if found.has_source:
            source: dict[str, Any] = found.record["source"]
            return source
        parent = found.record.get("parent")
        if parent is None or parent >= found.number:
            break
        found = Round(round_path(found.path.parent, parent))
    return None


def _numbered(rounds: Path) -> list[Round]:
    if not rounds.is_dir():
        return []
    folders = [p for p in rounds.iterdir() if _NUMBER.fullmatch(p.name) and p.is_dir()]
    return sorted((Round(path) for path in folders), key=lambda found: found.number)


_KINDS = {
    "config": having(
        **dict.fromkeys(("framework", "loss", "plan", "pieces", "device", "clock", "quality"), text),
        **dict.fromkeys(("seed", "iterations", "predict"), whole),
        minutes=lambda value: number(value) and value >= 0,
    ),
    **dict.fromkeys(("labels", "validation", "versions"), by_name(text)),
    "unlabelled": texts,
    "coverage": by_name(list_of(whole)),
    "partial": texts,
    "parent": whole,
    "source": whole_of(models=texts, values=by_name(whole)),
    **dict.fromkeys(("created", "launcher"), text),
}


_TO_TRAIN = ("config", "labels", "validation", "unlabelled", "versions")
_CONFIG = ("framework", "loss", "device", "seed")


def config_to_train(record: dict[str, Any], path: Path) -> dict[str, Any]:
    """The config of a record that has all that a training needs. ProjectError when it has not."""
    config = {"iterations": None, "minutes": None, "plan": "auto", **(record.get("config") or {})}
    lacks = [name for name in _TO_TRAIN if record.get(name) is None]
    lacks += [name for name in _CONFIG if config.get(name) is None]
    if not config["iterations"] and not config["minutes"] and not record.get("source"):
        lacks.append("iterations or minutes")
    if lacks:
        raise ProjectError(f"{path} lacks {', '.join(lacks)}: the round cannot go on; train with --new-round")
    return config


def read_record(path: Path, number: int) -> dict[str, Any]:
    """The record of the round `number`; entries that it lacks are left to its readers. Raises ProjectError."""
    return read_json(path, f"the record of round {number:04d}", _KINDS, read=renamed)
