"""What the rounds of a project cost on disk, and removing what can be made again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from metassl.files.atomic import remove_file, writing
from metassl.project.links import refuse_link_out
from metassl.project.project import Project
from metassl.project.rounds import PredictionPaths, trained_on

from .liveness import job_status
from .lock import TrainingLock

KEEP = 2
"""So many of the newest rounds with predictions keep all their maps."""

Report = Callable[[int, int], object]


@dataclass
class RoundCost:
    """Bytes of one round. `spare`: what would go, of `maps` and `checkpoint`; `cases`: that would lose their maps."""

    number: int
    state: str
    models: int = 0
    maps: int = 0
    checkpoint: int = 0
    spare: int = 0
    cases: int = 0


@dataclass
class Thinning:
    """What would be removed. Models, labels with all versions, records and summaries are never part of it.

    Made by `plan_thinning`; nothing is removed before `apply`. `cache`: bytes; `predictions`: whose maps would go;
    `files`: checkpoints that would.
    """

    project: Project
    rounds: list[RoundCost]
    cache: int
    spare_cache: int = 0
    predictions: list[PredictionPaths] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    @property
    def spare(self) -> int:
        """Bytes that `apply` frees."""
        return self.spare_cache + sum(cost.spare for cost in self.rounds)

    def apply(self, report: Report = lambda done, total: None) -> None:
        """Remove it. BusyError while something is trained; it can be called again after it was cut short."""
        lock = TrainingLock(self.project.path)
        lock.acquire("thinning")
        try:
            self.remove(report)
        finally:
            lock.release()

    def remove(self, report: Report = lambda done, total: None) -> None:
        """The same, for who has the project's lock."""
        if self.spare_cache:
            _empty(self.project.path / "cache")
        for done, paths in enumerate(self.predictions, 1):
            thin(paths)
            report(done, len(self.predictions))
        for path in self.files:
            remove_file(path)


def plan_thinning(project: Project, keep: int = KEEP, cache: bool = True) -> Thinning:
    """What can go: maps of all but the `keep` newest rounds with predictions, checkpoints to resume from, the cache.

    Whatever `keep` is, these stay: the predictions that are reviewed, those of a chosen round, and of each case the
    last one by a round that was not trained on it, from which later rounds learn what a correction changed.
    """
    rounds = project.rounds()
    predicted = [found for found in rounds if found.predicted_cases()]
    whole = {found.number for found in predicted[max(len(predicted) - keep, 0) :]}
    whole |= {chosen.number for chosen in (project.shown_round(), project.start_round()) if chosen is not None}
    reviewed = {case: found.number for case, found in project.predictions().items()}
    unseen = {case: found.number for found in predicted for case in {*found.predicted_cases()} - trained_on(found)}
    plan = Thinning(project, [], _size(project.path / "cache"))
    plan.spare_cache = plan.cache if cache else 0
    for found in rounds:
        cost = RoundCost(found.number, job_status(found).state)
        cost.models = _size(found.model_path) + _size(found.best_path)
        cost.checkpoint = _size(found.last_checkpoint_path)
        if cost.state == "finished":
            plan.files.append(found.last_checkpoint_path)
            cost.spare += cost.checkpoint
        for paths in found.thinned_or_predicted():
            case, size = paths.folder.name, sum(map(_size, paths.maps))
            cost.maps += size
            stays = found.number in (reviewed.get(case), unseen.get(case)) or found.number in whole
            if size and not (paths.complete and stays):
                plan.predictions.append(paths)
                cost.spare += size
                cost.cases += 1
        plan.rounds.append(cost)
    return plan


def thin(paths: PredictionPaths) -> None:
    """Remove the maps of a prediction; its summary stays beside them, as thinned.json."""
    refuse_link_out(paths.folder, paths.folder.parent)
    with writing(paths.thinned):
        if paths.complete:
            paths.summary.replace(paths.thinned)  # first: from now on nobody takes the prediction for a whole one
    for path in paths.maps:
        remove_file(path)


def _empty(folder: Path) -> None:
    with writing(folder):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 where there is none. A link counts nothing."""
    if path.is_dir() and not path.is_symlink():
        return sum(map(_size, path.iterdir()))
    try:
        return path.lstat().st_size if path.is_file() else 0
    except OSError:
        return 0
