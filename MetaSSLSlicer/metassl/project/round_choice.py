"""Choosing a round: whose predictions are reviewed, and whose model the next training starts from; and what waits."""

from __future__ import annotations

from metassl.files.errors import ProjectError

from .project import Project
from .rounds import Round


def review_round(project: Project, number: int) -> None:
    """Review the predictions of the round `number`, where it has any. ProjectError when it has none at all."""
    found = project.round(number)
    if not found.predicted_cases():
        thinned = " any more: its maps were removed to free the disk" if found.thinned_or_predicted() else ""
        raise ProjectError(f"round {number} has no predictions to review{thinned}")
    project.update_settings(shown_round=number)


def train_on_from(project: Project, number: int) -> None:
    """Let the next training start from the model of the round `number`, and review that round's predictions.

    ProjectError when it has no finished model.
    """
    found = project.round(number)
    if not found.model_path.exists():
        raise ProjectError(f"round {number} has no finished model to start from")
    project.update_settings(start_round=number, shown_round=number if found.predicted_cases() else None)


def choose_newest(project: Project) -> None:
    """Take both choices back: the newest round counts."""
    project.update_settings(start_round=None, shown_round=None)


def model_round(project: Project) -> Round:
    """The round that is reviewed, where one was chosen and has a model; else the one that training goes on from."""
    found = project.shown_round()
    if found is None or not found.model_path.exists():
        found = project.start_round()
    if found is not None:
        return found
    raise ProjectError(f"project {project.path} has no trained model yet: run `metassl train {project.path}`")


def waiting_cases(project: Project, found: Round) -> list[str]:
    """The ids of the cases that are not done yet, and of which the round knows what is annotated."""
    known = found.record.get("labels") or {}
    cases = [case for case in project.unlabelled_cases() if not case.is_done]
    return [case.id for case in cases if not case.is_partial or case.is_known_to(known)]
