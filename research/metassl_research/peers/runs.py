"""The runs of a comparison with peers, one after the other, and the file that keeps one line of each.

    {"time", "run": {the fields of `Run`, "learnt_from": [case], "steps", "seconds", "threads", "device", "parameters",
     "versions", "looks": [{"seconds", "steps", "dice"}], "dice", "hd95_mm", "missed", "cases": {case: {measure}}}}

The last look is the end, whose figures are those of the run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from metassl.exports.nnunet import plain_name, plain_names
from metassl.files.atomic import make_folder
from metassl.files.errors import ErrorCode, MetaSSLError
from metassl.networks.device import choose_device, device_name, usable_cores

from metassl_research.experiment import Experiment
from metassl_research.lines import add_run, read_lines
from metassl_research.peers import figures
from metassl_research.peers.elsewhere import has_package, trained_elsewhere
from metassl_research.peers.ours import OURS, trained_here
from metassl_research.peers.raw_dataset import Change, write_raw
from metassl_research.peers.settings import PEER_ARMS, PeerArm, Run, Settings
from metassl_research.peers.training.job import TrainingJob
from metassl_research.reproduction.runs import labelled_cases
from metassl_research.resumable import Report, Resumable


def read_runs(path: Path) -> dict[Run, dict[str, Any]]:
    """What is known of every run in the file, which need not exist. MetaSSLError when it holds something else."""
    return read_lines(path, Run, "peers` or `metassl adapt", {}, ["cases"])


class Peers(Resumable[Run]):
    """nnunet: the Python that has nnU-Net."""

    def __init__(
        self, experiment: Experiment, settings: Settings, path: Path, report: Report, nnunet: str | None = None
    ) -> None:
        super().__init__(report)
        self.experiment, self.path = experiment, path
        self._settings, self._nnunet = settings, nnunet or sys.executable
        self._device = choose_device(settings.device)
        asked = settings.runs()[0]
        for run, known in read_runs(path).items():
            same = set(known["cases"]) == set(experiment.test) and run.clock == asked.clock
            if not same or (run.data, run.source) != (asked.data, asked.source):
                raise MetaSSLError(
                    f"{path} was made with other test cases, another --clock or another source model: {run.key}; give "
                    "the same to go on with it, or another --out"
                )
        for labelled in settings.labelled:
            labelled_cases(experiment.train_order, labelled, 0)
        if any(self._needs_nnunet(run) for run in self.left()) and not has_package(self._nnunet, "nnunetv2"):
            raise MetaSSLError(
                f"{self._nnunet} has no nnunetv2: install it (pip install nnunetv2), best in an environment of its "
                "own, and name its Python with --nnunet",
                ErrorCode.MISSING_PACKAGE,
            )
        make_folder(path.parent)

    def planned(self) -> list[Run]:
        return self._settings.runs()

    def kept(self) -> dict[Run, dict[str, Any]]:
        return read_runs(self.path)

    def keep(self, run: Run, found: dict[str, Any]) -> None:
        add_run(self.path, found)

    def words(self, found: dict[str, Any]) -> str:
        return f"Dice {found['dice'] or 0.0:.3f} after {found['steps']} steps"

    def do(self, run: Run) -> dict[str, Any]:
        cases = labelled_cases(self.experiment.train_order, run.labelled, run.seed)
        found = self.ours(run, cases) if run.arm in OURS else self.peer(run, PEER_ARMS[run.arm], cases)
        return {**asdict(run), "learnt_from": cases, **found}

    def ours(self, run: Run, cases: Sequence[str], **more: Any) -> dict[str, Any]:
        options = {"minutes": run.minutes, "clock": run.clock, "seed": run.seed, "device": self._settings.device}
        return trained_here(self.experiment, run.key, cases, run.arm, self._settings.looks, **options, **more)

    def peer(
        self, run: Run, arm: PeerArm, cases: Sequence[str], changed: Change | None = None, model: str = ""
    ) -> dict[str, Any]:
        """Train it in its own process, and measure what it predicted. changed: of `write_raw`; model: of the job."""
        folder = self.folder(run)
        names = plain_names(self.experiment.test)
        images = {
            name: [str(path) for path in self.experiment.project.image_paths(case)] for case, name in names.items()
        }
        raw = write_raw(folder, self.experiment.project, cases, changed)
        job = TrainingJob(
            folder=str(folder),
            peer=arm.peer,
            raw=str(raw),
            test=images,
            minutes=run.minutes,
            clock=run.clock,
            threads=usable_cores(),
            device=self._device.type,
            seed=run.seed,
            looks=[*self._settings.looks, 1.0],
            schedule=arm.schedule,
            model=model,
        )
        found = trained_elsewhere(job, self._nnunet if arm.peer == "nnunet" else sys.executable)
        looks = []
        for look in found["looks"]:
            files = {case: job.prediction(look["share"], name) for case, name in names.items()}
            end = figures.of_files(self.experiment, files)
            looks.append({"seconds": look["seconds"], "steps": look["steps"], "dice": end["dice"]})
        kept = {name: found[name] for name in ("steps", "seconds", "parameters", "versions")}
        return {**kept, "threads": job.threads, "device": device_name(self._device), "looks": looks, **end}

    def folder(self, run: Run) -> Path:
        """Where a peer is trained for this run."""
        return make_folder(self.experiment.project.path / "peers") / plain_name(run.key)

    def _needs_nnunet(self, run: Run) -> bool:
        return run.arm not in OURS and run.arm != "monailabel"
