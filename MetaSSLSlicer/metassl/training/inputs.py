"""What a round trains on: its cases, checked, on the plan's grid, out of the cache."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from metassl.choices.quality import DEFAULT_QUALITY
from metassl.data.cache import PreprocessCache, content_key
from metassl.data.fingerprint import fingerprint
from metassl.data.plan import Plan, make_plan
from metassl.data.preprocess import PreparedImages
from metassl.data.streams import PreparedCase
from metassl.data.unlike import Usual, unlike
from metassl.files.errors import ImageError, LabelError, MetaSSLError, ProjectError
from metassl.files.json_files import read_json, write_json
from metassl.imaging.hashes import image_hashes, refuse_replaced, replaced_image
from metassl.imaging.images import IGNORE, CaseImage
from metassl.imaging.usual_grid import UNLIKE
from metassl.project.project import Project
from metassl.project.round_files import read_inputs
from metassl.project.rounds import Round
from metassl.project.words import count, plural

CACHE_BYTES = 20 << 30
FINGERPRINT_CASES = 24
NOTES_TOLD = 5


@dataclass
class Inputs:
    labelled: list[PreparedCase] = field(default_factory=list)
    unlabelled: list[PreparedCase] = field(default_factory=list)
    validation: list[PreparedCase] = field(default_factory=list)


class InputReader:
    """Reads and prepares the cases that round.json names; emit(event, **fields) reports what fails."""

    def __init__(self, project: Project, found: Round, emit: Callable[..., object]):
        self.project, self.round, self.emit = project, found, emit
        limit = int(project.settings.get("cache_bytes", CACHE_BYTES))
        self.cache = PreprocessCache(project.path / "cache", limit)
        self.images = PreparedImages(self.cache)
        self.values = project.values

    def plan(self, device_type: str, memory: int, parent: Plan | None) -> Plan:
        """The round's plan: as written, else the parent's if it suits device and quality, else a new one."""
        if self.round.plan_path.exists():
            return self._written_plan()
        config = self.round.record["config"]
        quality, kind = str(config.get("quality") or DEFAULT_QUALITY), config.get("plan") or "auto"
        if parent is not None and parent.suits(device_type, quality) and parent.is_of(kind):
            plan = parent.on_device(device_type)
        else:
            labels = self.round.record["labels"]
            labelled = list(labels.items())
            others = [(case_id, None) for case_id in self.round.record["unlabelled"] if case_id not in labels]
            step = max(1, len(others) // FINGERPRINT_CASES)
            chosen = labelled[:FINGERPRINT_CASES] + others[::step]
            readable = islice(self._readable(chosen), 2 * FINGERPRINT_CASES)
            plan = make_plan(fingerprint(readable), len(self.values), device_type, memory, quality, kind)
        self.write_plan(plan)
        return plan

    def _written_plan(self) -> Plan:
        content = read_json(self.round.plan_path, "the plan", remedy="train a new round")
        try:
            plan = Plan.from_json(content)
        except MetaSSLError as error:
            raise ProjectError(f"{self.round.plan_path}: {error}") from error
        if plan.classes != len(self.values):
            raise ProjectError(
                f"{self.round.plan_path} is for {count(plan.classes - 1, 'structure')}, and the project has "
                f"{len(self.values) - 1} now: train a new round"
            )
        return plan

    def write_plan(self, plan: Plan) -> None:
        write_json(self.round.plan_path, plan.to_json())

    def prepare(self, plan: Plan, progress: Callable[[int, int], None]) -> Inputs:
        """All cases on the plan's grid. A case that fails is reported and left out; the rest go on."""
        record = self.round.record
        inputs, known = Inputs(), ImageRecord(self.project, self.round)
        wanted = (
            [(case_id, version, inputs.labelled) for case_id, version in record["labels"].items()]
            + [(case_id, version, inputs.validation) for case_id, version in record["validation"].items()]
            + [(case_id, None, inputs.unlabelled) for case_id in record["unlabelled"]]
        )
        failures: list[MetaSSLError] = []
        for index, (case_id, version, into) in enumerate(wanted):
            try:
                into.append(self._prepared(case_id, version, plan, known))
                self._tell_of_outside_edit(case_id, version)
            except MetaSSLError as error:
                self.report_failure(case_id, error)
                failures += [error] if into is inputs.labelled else []
            progress(index + 1, len(wanted))
        known.notes, known.usual = self._look_at(inputs, plan)
        known.write()
        self.images.let_go()
        if self.round.has_source:
            return inputs
        if not inputs.labelled and not failures:
            raise MetaSSLError(f"{self.round.record_path} names no case to learn from: train a new round")
        if not inputs.labelled:
            message = f"none of the labels that {self.round.record_path} names could be used: {failures[0]}"
            raise MetaSSLError(message) from failures[0]
        return inputs

    def _look_at(self, inputs: Inputs, plan: Plan) -> tuple[dict[str, str], Usual | None]:
        """Case → what is odd about its image, which is told too; and what most are like."""
        cases = dict.fromkeys(case.id for case in (*inputs.labelled, *inputs.validation, *inputs.unlabelled))
        descriptions, notes = {}, {}
        for case_id in cases:
            try:
                about = self.images.about(self.project.image_paths(case_id), plan, case_id)
            except MetaSSLError:  # such as a cache that cannot be written: nothing that the training needs
                continue
            descriptions[case_id], told = about
            if told:
                notes[case_id] = told
        for case_id, reason in unlike(descriptions).items():
            notes[case_id] = "; ".join(filter(None, (UNLIKE + reason, notes.get(case_id))))
        for case_id, note in list(notes.items())[:NOTES_TOLD]:
            self.emit("warning", message=f"case {case_id}: {self.project.image_paths(case_id)[0]}: {note}")
        if len(notes) > NOTES_TOLD:
            others = len(notes) - NOTES_TOLD
            self.emit(
                "warning",
                message=plural(others, "one more image is", "{count} more images are")
                + " odd: `metassl status --cases` says how",
            )
        return notes, Usual.of(descriptions.values())

    def _tell_of_lost_structures(self, case_id: str, classes: np.ndarray, on_grid: np.ndarray, plan: Plan) -> None:
        before, after = (np.bincount(array.ravel(), minlength=256) > 0 for array in (classes, on_grid))
        lost = [label.name for k, label in enumerate(self.project.labels, 1) if before[k] and not after[k]]
        if lost:
            grid = " x ".join(f"{mm:.3g}" for mm in reversed(plan.spacing_zyx))
            too_small = f"{', '.join(lost)} {plural(len(lost), 'is', 'are')} too small to be learnt at {grid} mm"
            self.emit("warning", message=f"case {case_id}: {too_small}, and left out here")

    def _tell_of_outside_edit(self, case_id: str, version: str | None) -> None:
        if version is not None and (edited := self.project.outside_edit(case_id)):
            taken_in = shlex.join(["metassl", "label", str(self.project.path), case_id, str(edited)])
            message = (
                f"case {case_id}: another program has changed {edited}; it is trained on as it was accepted. To take "
                f"the change in: {taken_in}"
            )
            self.emit("warning", message=message)

    def report_failure(self, case_id: str, error: Exception) -> None:
        case = self.project.cases.get(case_id)  # a record may name one that is not there
        files = [] if case is None else self.project.image_paths(case)
        self.emit("case_failed", case=case_id, file=str(files[0]) if files else "", reason=str(error))

    def _readable(self, cases: Sequence[tuple[str, str | None]]) -> Iterator[tuple[str, CaseImage, np.ndarray | None]]:
        """The cases that can be read; those that cannot are reported by `prepare`, or here if there is no other."""
        failed: dict[str, MetaSSLError] = {}
        for case_id, version in cases:
            try:
                image = self.images.read(self.project.image_paths(case_id), case_id)
                label = self._classes(self.project.read_label(case_id, version)[0]) if version else None
            except MetaSSLError as error:
                failed[case_id] = error
                continue
            yield case_id, image, label
        if len(failed) == len(cases):
            for case_id, problem in failed.items():
                self.report_failure(case_id, problem)
            first = next(iter(failed.values()), None)
            raise MetaSSLError(f"no image could be read; {first or 'add cases to the project'}") from first

    def _prepared(self, case_id: str, version: str | None, plan: Plan, known: ImageRecord) -> PreparedCase:
        paths = self.project.image_paths(case_id)
        known.check(case_id, paths, version)
        image = self.images.on_demand(paths, plan, case_id)
        told = (self.round.record.get("coverage") or {}).get(case_id, self.values)
        missing = [k for k, value in enumerate(self.values) if k and value not in told]
        if version is None:
            return PreparedCase(case_id, image)

        def make_label() -> dict[str, np.ndarray]:
            array, geometry = self.project.read_label(case_id, version)
            grid = self.images.get(paths, plan, case_id).transform
            if difference := geometry.difference(grid.geometry):
                raise LabelError(
                    f"case {case_id}: its annotation {version[:16]} is not on the grid of {paths[0]}: {difference}; "
                    "label the case again"
                )
            classes = self._classes(array)
            on_grid = grid.labels_to_grid(classes)
            self._tell_of_lost_structures(case_id, classes, on_grid, plan)
            return {"label": on_grid}

        label_key = content_key(paths, plan=plan.preprocessing(), label=version, values=self.values)
        label = self.cache.on_demand(label_key, make_label, "label")
        return PreparedCase(case_id, image, label, missing, case_id in (self.round.record.get("partial") or ()))

    def _classes(self, array: np.ndarray) -> np.ndarray:
        """Annotation values as class numbers; IGNORE stays."""
        table = np.full(256, IGNORE, np.uint8)
        table[self.values] = np.arange(len(self.values))
        classes: np.ndarray = table[array]
        return classes


class ImageRecord:
    """inputs.json of a round. What it says of a case stays as it was when the round first read it."""

    def __init__(self, project: Project, found: Round) -> None:
        self.path, self.number = found.inputs_path, found.number
        self.cases = project.cases
        self.images: dict[str, list[str]] = read_inputs(found)
        self.notes: dict[str, str] = {}
        self.usual: Usual | None = None

    def check(self, case_id: str, paths: Sequence[Path], version: str | None) -> None:
        """ImageError when an image is missing, or is not the one that this round, or its annotation, belongs to."""
        hashes = image_hashes(paths, case_id)
        if replaced := replaced_image(paths, hashes, self.images.get(case_id, [])):
            raise ImageError(
                f"case {case_id}: {replaced} was replaced after round {self.number:04d} had begun; put the former "
                "file back, or start a new round"
            )
        case = self.cases.get(case_id)
        drawn_on = case.image_hashes if case is not None and case.label_version == version else []
        if version is not None:
            refuse_replaced(case_id, paths, hashes, drawn_on)
        self.images[case_id] = hashes

    def write(self) -> None:
        """Write inputs.json. Raises ProjectError."""
        usual = self.usual and self.usual.to_json()
        write_json(self.path, {"images": self.images, "notes": self.notes, "usual": usual})
