"""What to type next, from where the project stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from metassl.files import MetaSSLError
from metassl.jobs import JobStatus, job_status
from metassl.project import Project, Round
from metassl.project.records import RankedCase
from metassl.project.round_choice import waiting_cases
from metassl.project.round_files import read_ranking
from metassl.project.words import count as counted

from .console import command_line


@dataclass(frozen=True)
class Step:
    """A command and why one would type it."""

    command: str
    why: str


def next_steps(
    project: Project, shown: Path, found: Round | None = None, status: JobStatus | None = None
) -> list[Step]:
    """The commands that make sense now, the most useful first; never empty.

    `shown`: the project's path as the user typed it.
    """
    found = found or project.latest_round()
    if found is None:
        return _before_training(project, shown)
    status = status or job_status(found)
    train = command_line("train", shown)
    if status.is_going_on:
        return [
            Step(command_line("status", shown, "--follow"), "watch it"),
            Step(command_line("stop", shown), "stop after this step; it can go on later"),
        ]
    if found.has_source and status.state in ("created", "paused", "interrupted", "failed"):
        steps = [Step(command_line("predict", shown), "predict all cases with the model that the project began with")]
        return [*steps, *([Step(train, "the same, then train on the labels")] if project.labelled_cases() else [])]
    if status.state in ("paused", "interrupted", "created"):
        return [Step(train, "go on where it stopped")]
    if status.state == "failed":
        return [
            Step(train, "try again once the cause is gone"),
            Step(command_line("doctor"), "check this computer"),
        ]
    return _after_training(project, shown, found, train)


def next_case(project: Project, found: Round) -> RankedCase | None:
    """The first of the ranking whose case is not done yet, or None. Of the chosen round, if it has one."""
    for ranked in (project.shown_round(), found):
        try:
            if ranked is not None:
                waiting = {*waiting_cases(project, ranked)}
                entries = read_ranking(ranked, project.labels).cases
                return next((entry for entry in entries if entry.case in waiting), None)
        except MetaSSLError:
            continue  # it was stopped before it ranked
    return None


def labels_since(project: Project, found: Round) -> list[str]:
    """The cases whose label is newer than the round's record, or was not part of it."""
    used = found.record.get("labels") or {}
    return [case.id for case in project.labelled_cases() if used.get(case.id) != case.label_version]


def _before_training(project: Project, shown: Path) -> list[Step]:
    label = Step(command_line("label", shown, "CASE", "FILE"), "give a case its annotation")
    if not project.labelled_cases():
        return [label]
    return [Step(command_line("train", shown), "train on what is labelled"), label]


def _after_training(project: Project, shown: Path, found: Round, train: str) -> list[Step]:
    steps = []
    new = labels_since(project, found)
    if new:
        count = counted(len(new), "label")
        steps.append(Step(train, f"train the next round with {count} more"))
    first = next_case(project, found)
    if first is not None:
        label = command_line("label", shown, first.case, "FILE")
        steps.append(Step(label, "correct the case that would teach the model most"))
        steps.append(Step(command_line("finish", shown), "find out whether the rest is good enough"))
    steps.append(Step(command_line("report", shown), "pictures and figures in one page"))
    return steps
