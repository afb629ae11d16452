"""Which cases to measure, and measuring them: shared by `evaluate`, `report` and the demo."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metassl.evaluation.evaluate import evaluate
from metassl.evaluation.measure import EvaluationItem
from metassl.evaluation.pairs import fitted_on, truth_files
from metassl.evaluation.stored import read_evaluation
from metassl.files import ProjectError, write_json
from metassl.project import Project, Round
from metassl.project.rounds import trained_on

from ..predict import PredictionProgress
from .bar import ProgressBar
from .console import Console, listing
from .options import read_names

GROUPS = ("test", "validation", "unlabelled", "all")


@dataclass
class Choice:
    """The cases to measure: what they are called together, their truths (own: the project's labels), those without."""

    group: str
    truths: dict[str, Path]
    without_truth: list[str] = field(default_factory=list)
    own: bool = False


def choose(project: Project, truth: Path | None, group: str | None) -> Choice:
    """The cases of `group` (a name of GROUPS, a file with case names, or None for the default).

    Without a folder of truths the project's own annotations of its validation cases are taken.
    ProjectError when nothing is left to measure.
    """
    if truth is None:
        return _own_validation(project, group)
    files = truth_files(truth)
    group = group or ("test" if project.test_cases() else "unlabelled")
    ids = _members(project, group)
    truths = {case_id: files[case_id] for case_id in ids if case_id in files}
    if not truths:
        raise ProjectError(
            f"{truth} holds no true annotation of the {_title(group)} (a file CASE.nii.gz, CASE.nrrd, ...)"
        )
    return Choice(group, truths, [case_id for case_id in ids if case_id not in files])


def evaluate_project(project: Project, found: Round, choice: Choice, device: str, console: Console) -> dict[str, Any]:
    """Measure the chosen cases with the model of `found`; keep the result there and return it.

    Predictions that are missing, or of an earlier state of the model, are made first. Cases that the model was trained
    on are left out, and what it has learnt of its errors is not judged on the cases where it has learnt it.
    """
    from metassl.inference.predict import predict_project, predicted_by
    from metassl.networks.checkpoint import load_checkpoint

    if choice.without_truth:
        console.warn(
            f"{len(choice.without_truth)} of the {_title(choice.group)} have no true annotation "
            "and are left out: "
            f"{listing(choice.without_truth)}"
        )
    truths, trained = new_to_the_model(choice.truths, trained_on(found), found, console)
    step = load_checkpoint(found.model_path, step=int)["step"]
    missing = [case_id for case_id in truths if not predicted_by(found.prediction(case_id), step)]
    failures = {}
    if missing:
        with PredictionProgress() as progress:
            predict_project(project, missing, device, progress, progress.failed, found)
        failures = progress.failures
    fitted = fitted_on(project, found)
    items = [
        EvaluationItem(
            case_id,
            found.prediction(case_id),
            truth,
            case_id in fitted,
            choice.own,
            project.case(case_id).missing(project.values) if choice.own else (),
            project.case(case_id).looked if choice.own else None,
        )
        for case_id, truth in truths.items()
        if case_id not in failures
    ]
    result = measure(items, project, failures, console)
    if result["fitted_on"]:
        console.warn(
            "the error probability and the predicted Dice were learnt on validation cases: they are not judged on "
            f"{len(result['fitted_on'])} of these cases"
        )
    result = {
        "round": found.number,
        "group": choice.group,
        "without_truth": choice.without_truth,
        "trained_on": trained,
        **result,
    }
    if result["n_cases"]:  # one that failed does not take the place of a former one
        try:
            write_json(stored_path(found), result)
        except ProjectError as error:
            console.warn(f"the figures are shown here only: {error}")
    return result


def measure(
    items: list[EvaluationItem], project: Project, failures: dict[str, str], console: Console
) -> dict[str, Any]:
    """Evaluate with a bar; cases that could not even be predicted join the failed ones. Warns of what was changed."""
    bar = ProgressBar(sys.stderr)
    try:
        result = evaluate(
            items,
            project.labels,
            lambda done, case: bar.show("measuring", done, len(items), details=case),
        )
    finally:
        bar.close()
    for note in result["notes"]:
        console.warn(note)
    result["failed"] = {**failures, **result["failed"]}
    return result


def stored_path(found: Round) -> Path:
    """Where the last evaluation of a round is kept."""
    return found.path / "evaluation.json"


def stored_evaluation(found: Round) -> dict[str, Any] | None:
    """The last evaluation of a round, or None when it was not measured yet."""
    path = stored_path(found)
    return read_evaluation(path) if path.is_file() else None


def new_to_the_model(
    cases: dict[str, Any], known: set[str], found: Round, console: Console
) -> tuple[dict[str, Any], list[str]]:
    """Those of `cases` that are not `known` to the model of `found`, and the others, with a warning of these.

    ProjectError when it knows all.
    """
    trained = [case_id for case_id in cases if case_id in known]
    if trained and len(trained) == len(cases):
        raise ProjectError(f"{found.title} was trained on all of these cases: there is nothing to measure it on")
    if trained:
        console.warn(f"{found.title} was trained on {len(trained)} of these cases, left out here: {listing(trained)}")
    return {case_id: value for case_id, value in cases.items() if case_id not in known}, trained


def _own_validation(project: Project, group: str | None) -> Choice:
    cases = project.validation_cases()
    if group not in (None, "validation"):
        raise ProjectError(f"--truth DIR is needed to measure the {_title(group)}")
    if not cases:
        raise ProjectError("the project has no validation cases: say where the true annotations are, --truth DIR")
    return Choice("validation", {case.id: project.accepted_label(case.id) for case in cases}, own=True)


def _members(project: Project, group: str) -> list[str]:
    if group == "test":
        return [case.id for case in project.test_cases()]
    if group == "validation":
        return [case.id for case in project.cases.values() if case.split == "validation"]
    if group == "unlabelled":
        return [case.id for case in project.unlabelled_cases()]
    if group == "all":
        return list(project.cases)
    return [project.case(name).id for name in read_names(Path(group))]


def _title(group: str | None) -> str:
    return f"{group} cases" if group in GROUPS else f"cases in {group}"
