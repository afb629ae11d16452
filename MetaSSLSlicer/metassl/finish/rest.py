"""The predictions that nobody looked at, accepted in one step, and taken back in one: marked as accepted unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from metassl.files.errors import LabelError, MetaSSLError, ProjectError
from metassl.project.annotations import acceptable, hashes_of_opened, keep_version, put_in_place, voxels_of
from metassl.project.cases import Case
from metassl.project.coverage import unknown_to
from metassl.project.project import Project
from metassl.project.round_files import read_summary
from metassl.project.rounds import Round

from .audit import is_waiting
from .standing import Report


@dataclass
class Accepted:
    """`cases`: the ids of those whose prediction is their label now. `left`: {case: why not}."""

    cases: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)


def accept_unseen(
    project: Project, found: Round, case_ids: Sequence[str], report: Report = lambda done, total, case: None
) -> Accepted:
    """Make the predictions of a round the labels of these cases, all at once, each marked as unseen.

    They are never trained on or measured by. One that cannot be taken is left as it is, and named. ProjectError when
    the list of cases cannot be written: nothing is accepted then.
    """
    accepted, ready = Accepted(), {}
    for place, case_id in enumerate(dict.fromkeys(case_ids), start=1):
        try:
            case = project.case(case_id)
            ready[case_id] = case, _label_of(project, found, case)
        except MetaSSLError as error:
            accepted.left[case_id] = str(error)
        report(place, len(case_ids), case_id)

    def accept(case: Case) -> Case:
        before, label = ready[case.id]
        if (case.state, case.label_version, case.split) != (before.state, before.label_version, before.split):
            accepted.left[case.id] = f"case {case.id} was worked on meanwhile"
            return case
        put_in_place(project.path, case, label["version"])
        accepted.cases.append(case.id)
        return case.accepted_unseen(**label)

    project.change_cases(ready, accept)
    return accepted


def take_back(project: Project) -> list[str]:
    """Let all cases that were accepted unseen wait for a look again; their ids. Their labels stay in the history."""
    predicted = project.predictions()

    def back(case: Case) -> Case:
        put_in_place(project.path, case, None)
        return case.taken_back("predicted" if case.id in predicted else "unlabelled")

    return project.change_cases([case.id for case in project.cases.values() if case.unseen], back)


def _label_of(project: Project, found: Round, case: Case) -> dict[str, Any]:
    """What `Case.accepted_unseen` takes; the version is written. MetaSSLError when it is not to be taken."""
    if not is_waiting(case) or (case.label_version is not None and not case.unseen):
        raise ProjectError(f"case {case.id} has a label or was rejected: it is left as it is")
    if case.state == "in_progress":
        raise ProjectError(f"case {case.id} is being annotated: save that, or throw it away")
    paths = found.prediction(case.id)
    if not paths.complete:
        raise ProjectError(f"case {case.id} has no prediction by {found.title}")
    images = project.image_paths(case)
    summary = read_summary(paths.summary, case.id)
    hashes = hashes_of_opened(case.id, images, summary.image_hashes or ())
    array, grid, _notes = acceptable(paths.segmentation, images[0], case.id, project.labels, None, True)
    if not array.any():
        raise LabelError(f"case {case.id}: its prediction shows no structure: look at it yourself")
    unknown = unknown_to(summary, project.labels)
    told = [label.value for label in project.labels if label not in unknown]
    version = keep_version(project.path, case.id, array, grid)
    return {"version": version, "hashes": hashes, "voxels": voxels_of(array), "told": told}
