"""One play: a project from nothing to the final label of its last case, through the product's own code.

What was done is kept in the project and in play.json beside it, so that a killed play goes on where it was, and does
nothing twice. The first cases are drawn and the first model is trained once for all arms of a seed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from metassl.files.atomic import make_folder
from metassl.files.errors import MetaSSLError
from metassl.files.json_files import read_json, write_json
from metassl.files.json_kinds import list_of, mapping, text, whole_of
from metassl.finish.audit import begin
from metassl.finish.rest import accept_unseen
from metassl.finish.standing import read_standing
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import read_labels
from metassl.jobs.events import read_events
from metassl.jobs.liveness import job_status
from metassl.jobs.start import start_training
from metassl.project.annotations import version_of
from metassl.project.effort.expected import review_axis
from metassl.project.effort.looked import looked_at
from metassl.project.effort.slices import with_slices
from metassl.project.project import Project
from metassl.project.rounds import Round

from metassl_research.cohort.arms import Arm
from metassl_research.cohort.costs import Work
from metassl_research.cohort.data import Cohort
from metassl_research.cohort.oracle import Oracle
from metassl_research.cohort.quality import quality
from metassl_research.cohort.results import EVIDENCE, is_of_now
from metassl_research.cohort.settings import Settings
from metassl_research.experiment import wait_for

Say = Callable[[str], object]
_KINDS = {"cases": list_of(whole_of(case=text, label=text)), "settings": mapping}


class Play:
    """One arm with one seed, in a folder of its own. say(text): a line for people about every training."""

    def __init__(
        self, folder: Path, cohort: Cohort, oracle: Oracle, settings: Settings, arm: Arm, seed: int, say: Say
    ) -> None:
        self._folder, self._cohort, self._oracle, self._settings = folder, cohort, oracle, settings
        self._arm, self._seed, self._say = arm, seed, say
        self._trainings = settings.trainings(len(cohort.cases))
        self._file = folder / "play.json"

    def run(self) -> dict[str, Any]:
        """Play it to its end; what results.py keeps of it. MetaSSLError when a training fails."""
        if self._arm.draws_all:
            return self._drawn()
        self._begin()
        self._open()
        self._refuse_other_evidence()
        for number, cases in enumerate(self._trainings, start=1):
            self._work_until(cases)
            self._train(number)
        (self._finish_by_audit if self._arm.chance is None else self._finish_by_looks)()
        return self._outcome()

    # ------------------------------------------------------------------ the beginning, which all arms share

    def _begin(self) -> None:
        """The first cases drawn and the first model trained, in a copy of the folder `start` beside this one."""
        if self._file.exists():
            return
        folder = self._folder.with_name("start")
        start = Play(folder, self._cohort, self._oracle, self._settings, self._arm, self._seed, self._say)
        if not start._file.exists():
            shutil.rmtree(folder, ignore_errors=True)
            project = self._cohort.new_project(make_folder(folder) / "project")
            project.update_settings(tolerance_mm=self._settings.tolerance)
            start._done = []
            start._write()
        start._open()
        order = np.random.default_rng([self._seed, len(self._cohort.cases)]).permutation(sorted(self._cohort.cases))
        for case in order[len(start._done) : self._trainings[0]].tolist():
            start._draw(case)
        start._train(1)
        part = self._folder.with_name(f"{self._folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(folder, part)
        Project.open(part / "project").update_settings(strategy=self._arm.order)
        write_json(part / self._file.name, self._content(start._done))
        os.replace(part, self._folder)

    def _open(self) -> None:
        """MetaSSLError where it was begun with other settings or cases: what was done so far would mean another."""
        content = read_json(self._file, "the play", _KINDS, f"move {self._folder} away")
        if (settings := content.get("settings")) is not None:  # former plays do not say so
            try:
                self._settings.continues(settings, self._file)
            except MetaSSLError as error:
                raise MetaSSLError(f"{error} and another --work") from error
        self._project = Project.open(self._folder / "project")
        if self._project.cases.keys() != {*self._cohort.cases}:
            raise MetaSSLError(f"{self._folder} was begun with other cases of {self._settings.data}: move it away")
        self._done: list[dict[str, Any]] = content.get("cases") or []
        self._forget_torn()

    def _refuse_other_evidence(self) -> None:
        if not is_of_now(self._arm, read_json(self._file, "the play")):
            raise MetaSSLError(
                f"{self._file} was begun by a version to which what nobody looked at was right: move "
                f"{self._folder} away, or give another --work"
            )

    # ------------------------------------------------------------------ the work

    def _work_until(self, cases: int) -> None:
        """Until so many cases were worked on since the beginning."""
        while len(self._done) < cases:
            case = self._next_case()
            if case is None:
                return
            self._work_on(case, self._arm.partly)

    def _next_case(self) -> str | None:
        """The first of the newest ranking that waits; then those without a prediction."""
        found = self._project.latest_round()
        waiting = {case.id for case in self._project.cases.values() if not case.is_labelled}
        if found is not None:
            ranking = self._arm.ranking(self._project, found)
            for entry in ranking.cases:
                if entry.case in waiting:
                    return entry.case
        return min(waiting, default=None)

    def _work_on(self, case: str, partly: bool = False) -> None:
        """Open its prediction, look, correct and keep it, or only the slices that were looked at; or draw it."""
        prediction = self._project.prediction(case)
        if prediction is None:
            self._draw(case)
            return
        found, paths = prediction
        segmentation, geometry = read_labels(paths.segmentation, case)
        slices = self._arm.slices(found, case) if segmentation.any() else None
        review = self._oracle.review(case, segmentation, geometry, slices)
        label, looked, axis = review.label, None, review_axis(geometry)
        if partly and review.looked:
            label = with_slices(label, None, axis, review.looked)
        elif slices is not None and not review.drawn:
            looked = looked_at(label, segmentation, axis, review.looked)
        how = "drawn" if review.drawn else "corrected" if review.corrected else "accepted"
        about = {"looked": len(review.looked), "corrected": len(review.corrected), "partly": partly}
        self._keep(case, how, review.work, label, geometry, about, looked)

    def _draw(self, case: str) -> None:
        truth, geometry, work = self._oracle.draw(case)
        self._keep(case, "drawn", work, truth, geometry, {})

    def _keep(
        self,
        case: str,
        how: str,
        work: Work,
        label: np.ndarray,
        geometry: Geometry,
        about: dict[str, Any],
        looked: list[int] | None = None,
    ) -> None:
        """First in play.json, then in the project: where a kill came between, `_forget_torn` has it done again."""
        entry = {"case": case, "how": how, "after": len(self._project.rounds()), "seconds": work.to_json(), **about}
        self._done.append({**entry, "label": version_of(label, geometry)})
        self._write()
        self._project.update_case(case, more_seconds=work.seconds)
        state = "labelled" if how == "drawn" else how
        options: dict[str, Any] = {"allow_empty": True, "annotator": "oracle", "looked": looked}
        self._project.add_label(case, (label, geometry), state=state, **options)

    def _write(self) -> None:
        write_json(self._file, self._content(self._done))

    def _content(self, done: list[dict[str, Any]]) -> dict[str, Any]:
        return {"cases": done, "evidence": EVIDENCE, "settings": self._settings.to_json()}

    def _forget_torn(self) -> None:
        if self._done and self._project.case(self._done[-1]["case"]).label_version != self._done[-1]["label"]:
            self._done.pop()

    # ------------------------------------------------------------------ the trainings

    def _train(self, number: int) -> None:
        """Have as many finished rounds; one that was cut short goes on."""
        rounds = self._project.rounds()
        found = rounds[number - 1] if len(rounds) >= number else None
        if found is None or job_status(found).state != "running":
            if found is not None and job_status(found).state == "finished":
                return
            asked = self._settings
            found = start_training(
                self._project,
                framework=asked.framework,
                loss=asked.loss,
                iterations=asked.iterations,
                predict=self._wanted(number),
                device=asked.device,
                seed=self._seed,
            )
        status = wait_for(found)
        if status.state != "finished":
            what = status.message or f"it is {status.state}"
            raise MetaSSLError(f"the training of {found.title} failed: {what}; see {found.log_path}")
        for former in self._project.rounds()[:-1]:
            former.last_checkpoint_path.unlink(missing_ok=True)  # nothing goes on from there any more
        self._say(f"{self._folder.name}, seed {self._seed}: {found.title} after {len(self._done)} cases")

    def _wanted(self, number: int) -> int | None:
        """How many predictions are waited for: those of the cases until the next training, which the arm's order
        chooses; all of the first training, which all arms share, and of the last.
        """
        if number in (1, len(self._trainings)):
            return None
        return self._trainings[number] - self._trainings[number - 1]

    # ------------------------------------------------------------------ the end

    def _finish_by_audit(self) -> None:
        """Look at the rest in a random order, wholly, until enough of it is known to be right; accept what remains."""
        begin(self._project, self._seed)
        while True:
            standing = read_standing(self._project)
            if standing.bound.says_something and standing.bound.share <= self._settings.unseen:
                accept_unseen(self._project, self._project.round(standing.round), standing.remaining)
                break
            if standing.next_case is None:
                break
            self._work_on(standing.next_case)
        self._look_at_what_is_left()

    def _finish_by_looks(self) -> None:
        """Look at the rest where a deep error is to be expected, and accept those unseen where none is."""
        found = self._project.round(len(self._trainings))
        unseen = []
        for case in self._project.cases.values():
            if not case.is_labelled and found.prediction(case.id).complete:
                unseen += [] if self._arm.slices(found, case.id) != [] else [case.id]
        accept_unseen(self._project, found, unseen)
        self._look_at_what_is_left()

    def _look_at_what_is_left(self) -> None:
        for case in self._project.cases.values():
            if not case.is_done:
                self._work_on(case.id)

    # ------------------------------------------------------------------ what came of it

    def _outcome(self) -> dict[str, Any]:
        cases = [{name: value for name, value in each.items() if name != "label"} for each in self._done]
        unseen = [case.id for case in self._project.cases.values() if case.unseen]
        rounds = self._project.rounds()
        after = len(rounds)
        cases += [{"case": case, "how": "unseen", "after": after, "seconds": Work().to_json()} for case in unseen]
        last = {each["case"]: each for each in cases}
        for case, entry in last.items():
            label, geometry = self._project.read_label(case)
            entry.update(self._quality(case, label, geometry))
        return {
            "arm": self._arm.name,
            "seed": self._seed,
            "trainings": after,
            "machine_seconds": round(sum(map(_seconds, rounds)), 1),
            "cases": cases,
            "evidence": EVIDENCE,
        }

    def _drawn(self) -> dict[str, Any]:
        cases = []
        for case in sorted(self._cohort.cases):
            truth, geometry, work = self._oracle.draw(case)
            about = {"case": case, "how": "drawn", "after": 0, "seconds": work.to_json()}
            cases.append({**about, **self._quality(case, truth, geometry)})
        about = {"arm": self._arm.name, "seed": self._seed, "trainings": 0, "machine_seconds": 0.0}
        return {**about, "cases": cases, "evidence": EVIDENCE}

    def _quality(self, case: str, label: np.ndarray, geometry: Geometry) -> dict[str, Any]:
        truth, _own = self._oracle.truth(case)
        return quality(label, truth, geometry.spacing_zyx, self._oracle.values, self._settings.tolerance)


def _seconds(found: Round) -> float:
    """From the start of a training to the end of its predictions."""
    return sum(event.seconds or 0.0 for event in read_events(found.events_path) if event.event == "finished")
