"""The project's folder is moved or renamed: between sessions all is there, and under an open one nothing is strewn."""

from __future__ import annotations

import random
from pathlib import Path

from metassl.files import MetaSSLError
from metassl.project import Project

from .acts import ACTS, CREATE
from .campaigns import Outcome
from .disk_full_shim import FailingDisk
from .read_only import looked_through, make_full_project
from .sample_project import GRID, image, label, state_of, write_array

NAMES = ("p", "project (2)", "Projekt größer", "プロジェクト", "a/b/c", "with 'quotes' & more")
MANY = 10**9


def run(times: int, folder: Path, seed: int) -> Outcome:
    """Move a project `times` times, by turns between sessions and in the middle of an act."""
    dice, problems, said = random.Random(seed), [], ""
    project, images = make_full_project(folder)
    inside = project / "images" / "inside.nrrd"
    write_array(inside, image(9), GRID)
    Project.open(project).update_case("new", images=[str(inside)])
    for number in range(times):
        moved = folder / "moved" / str(number) / dice.choice(NAMES)
        moved.parent.mkdir(parents=True)
        state, act = state_of(project), dice.choice([act for act in ACTS if act.name != CREATE])
        if number % 2:
            opened = Project.open(project)
            project.rename(moved)
            problem, said = _work_in_what_is_gone(opened)
        else:
            problem = _move_within(act, project, moved, images, dice)
            state = state_of(moved) if problem == "" else state
        problem = problem or _problem(project, moved, state)
        if problem:
            problems.append(f"{act.name}, moved: {problem}")
        project = moved
    message = problems[0] if problems else said
    return Outcome("project moved or renamed", times, len(problems), times - len(problems), message)


def _problem(former: Path, moved: Path, state: dict) -> str:
    if former.exists():
        return f"{former} was made again"
    try:
        if state_of(moved) != state:
            return "not all came along"
        looked_through(moved)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _work_in_what_is_gone(opened: Project) -> tuple[str, str]:
    """What is wrong when a session goes on in a folder that was moved away, and what it is told."""
    said = ""
    for work in (
        lambda: opened.add_label("scan_1", (label(1), GRID)),
        lambda: opened.update_case("scan_1", state="rejected"),
        lambda: opened.update_settings(strategy="random"),
        lambda: opened.new_round({"labels": {}}),
        lambda: opened.cases,
        lambda: Project.open(opened.path),
    ):
        try:
            work()
            return "it went on as if nothing had happened", said
        except MetaSSLError as error:
            said = str(error)
        except Exception as error:
            return f"{type(error).__name__}: {error}", said
    return "", said


class _MovingDisk(FailingDisk):
    """Moves the project away at a step, and refuses nothing itself."""

    def __init__(self, project: Path, moved: Path, at: int) -> None:
        super().__init__(project, at, 0)
        self.moved = moved

    def step(self) -> None:
        self.count += 1
        if self.count == self.at:
            self.root.rename(self.moved)


def _move_within(act, project: Path, moved: Path, images: Path, dice: random.Random) -> str:
    """Move the project in the middle of an act; what is wrong with what it says."""
    moving, problem = _MovingDisk(project, moved, dice.randint(1, 6)), ""
    try:
        with moving.failing():
            act.do(project, images)
    except MetaSSLError:
        pass
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    if not moved.exists():
        moving.at = MANY
        project.rename(moved)
    return problem
