"""Trainings to be compared: one project in which all labels are known, and each round may see only some of them.

Every training is the ordinary one, in its own process: the worker that a user's `metassl train` starts.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from metassl.choices.frameworks import check_choice
from metassl.data.plan import Plan
from metassl.files.errors import MetaSSLError
from metassl.imaging.images import read_image
from metassl.inference.model import TrainedModel
from metassl.inference.predictor import CasePrediction, predict_image
from metassl.jobs import launcher_of, start
from metassl.jobs.liveness import job_status
from metassl.jobs.record import JobRecord
from metassl.jobs.status import JobStatus
from metassl.networks.device import choose_device, memory_bytes
from metassl.project.project import Project
from metassl.project.rounds import Round
from metassl.project.structures import LabelDefinition
from metassl.training.inputs import InputReader

from metassl_research.experiment_data import ExperimentData, open_data

POLL_SECONDS = 0.1
STOP_SECONDS = 120.0


class Experiment:
    """train_order, validation, test: case ids. Test cases are never seen by a training, not even as images."""

    def __init__(self, project: Project, known: ExperimentData, truths: Mapping[str, Path]) -> None:
        self.project, self.known, self._truths = project, known, truths
        self.train_order = known.train_order
        self.validation = known.validation
        self.test = known.test

    @staticmethod
    def open(folder: Path, data: Path, validate: bool = True) -> Experiment:
        """The experiment in `folder`, made there from the data set `data` if need be.

        Without a splits.json the cases are split by chance, the same way each time. validate: whether there are
        validation cases, in a folder that is made now; else nobody sees them. MetaSSLError when the folder holds
        something else or was made from other data.
        """
        return Experiment(*open_data(Path(folder).expanduser(), Path(data).expanduser(), validate))

    @property
    def labels(self) -> list[LabelDefinition]:
        return self.project.labels

    def truth(self, case_id: str) -> Path:
        """The file of the true annotation of a case, as the data set has it."""
        if case_id not in self._truths:
            raise MetaSSLError(f"case {case_id} has no true annotation in {self.known.data}")
        return self._truths[case_id]

    def round(self, number: int) -> Round:
        return self.project.round(number)

    # ------------------------------------------------------------------ training

    def train(
        self,
        key: str,
        labelled: Sequence[str],
        *,
        framework: str,
        loss: str,
        seed: int,
        plan: str = "auto",
        minutes: float | None = None,
        iterations: int | None = None,
        device: str = "auto",
        clock: str = "wall",
        parent: Round | None = None,
        label_versions: Mapping[str, str] | None = None,
        watch: Callable[[Round], object] = lambda found: None,
        change: Callable[[Plan], Plan] | None = None,
    ) -> Round:
        """Train with the labels of `labelled` alone, and wait. All other training cases are its unlabelled images.

        A round of this key that is finished is returned at once; one that was stopped or killed goes on.
        label_versions: {case: version} where it is not the true annotation that is learnt from. watch(round): called
        again and again meanwhile. change: of the plan that the round would have. MetaSSLError naming the round and its
        log when the training failed. Ctrl-C stops the training at its next step.
        """
        check_choice(framework, loss)
        config = {
            "framework": framework,
            "loss": loss,
            "iterations": iterations,
            "minutes": minutes,
            "device": device,
            "clock": clock,
            "seed": seed,
            **({} if plan == "auto" else {"plan": plan}),
        }
        content = self._record(key, labelled, config, parent, label_versions or {})
        found = self.find(key)
        if found is None:
            found = self.project.new_round(content)
        self._check_same(found, content)
        state = job_status(found).state
        if state == "finished":
            return found
        if state not in ("running", "queued"):
            if not found.last_checkpoint_path.exists():
                self._prepare(found, parent, change)
            start.launch_round(self.project, lambda: found)
        status = wait_for(found, watch)
        if status.state != "finished":
            what = status.message or f"it is {status.state}"
            raise MetaSSLError(f"the training {key!r} ({found.title}) failed: {what}; see {found.log_path}")
        return found

    def find(self, key: str) -> Round | None:
        """The newest round of this key."""
        return next((r for r in reversed(self.project.rounds()) if r.record.get("experiment") == key), None)

    def _record(self, key: str, labelled: Sequence[str], config: dict, parent: Round | None, versions: Mapping) -> dict:
        if (config["iterations"] is None) == (config["minutes"] is None):
            raise MetaSSLError("a training needs a number of minutes or of iterations")
        strange = sorted(set(labelled) - set(self.train_order))
        if strange or not labelled:
            raise MetaSSLError(f"the training {key!r} cannot learn from {', '.join(strange) or 'no case at all'}")
        known = self.known.versions
        return {
            "experiment": key,
            **start.round_record(
                config,
                parent,
                labels={case_id: versions.get(case_id, known[case_id]) for case_id in labelled},
                validation={case_id: known[case_id] for case_id in self.validation},
                unlabelled=[case_id for case_id in self.train_order if case_id not in labelled],
            ),
        }

    def _check_same(self, found: Round, content: dict) -> None:
        compared = ("config", "labels", "validation", "unlabelled", "parent")
        different = [name for name in compared if found.record.get(name) != content[name]]
        if different:
            raise MetaSSLError(
                f"{found.path} is another training of the name {content['experiment']!r}: it differs in "
                f"{', '.join(different)}; choose another folder for the work"
            )

    def _prepare(self, found: Round, parent: Round | None, change: Callable[[Plan], Plan] | None) -> None:
        """Plan the round and fill the cache as its worker would, but not out of its minutes."""
        config = found.record["config"]
        device = choose_device(config["device"])
        reader = InputReader(self.project, found, lambda *_, **__: None)
        follows = parent if parent and parent.record["config"]["framework"] == config["framework"] else None
        plan = reader.plan(device.type, memory_bytes(device), self.model(follows).plan if follows else None)
        if change is not None and not found.last_checkpoint_path.exists():
            plan = change(plan)
            reader.write_plan(plan)
        reader.prepare(plan, lambda *_: None)

    # ------------------------------------------------------------------ models and their predictions

    def model(self, found: Round, best: bool = False, device: str = "cpu") -> TrainedModel:
        """The model at the end of a round, or the one that was best on the validation cases on the way."""
        path = found.best_path if best else found.model_path
        return TrainedModel.load(path, choose_device(device))

    def predictions(
        self, found: Round, cases: Iterable[str], best: bool = False
    ) -> Iterator[tuple[str, CasePrediction]]:
        """(case id, prediction) of any cases of the project, on the device that the round asked for."""
        model = self.model(found, best, found.record["config"]["device"])
        for case_id in cases:
            yield case_id, predict_image(model, read_image(self.project.image_paths(case_id), case_id), case_id)


def end_on_sigterm() -> None:
    """SIGTERM is as Ctrl-C from now on."""
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    except ValueError:
        pass  # not in the main thread, which the signal goes to


def wait_for(found: Round, watch: Callable[[Round], object] = lambda found: None) -> JobStatus:
    """Return when the job of a round is over and its process gone. Ctrl-C and SIGTERM stop the job first."""
    end_on_sigterm()
    try:
        while not (status := job_status(found)).is_over:
            watch(found)
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        launcher_of(found).stop(found)
        _wait_for_process(found)
        raise
    _wait_for_process(found)
    return status


def _wait_for_process(found: Round) -> None:
    record = JobRecord.read(found.job_path)
    if record is not None:
        record.wait(STOP_SECONDS)
