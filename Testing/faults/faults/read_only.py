"""The project folder may not be written to: every act says so, nothing changes, and all can be read and shown."""

from __future__ import annotations

from pathlib import Path

from metassl.files import MetaSSLError
from metassl.jobs import TrainingLock, job_status
from metassl.jobs.round_summary import round_summaries
from metassl.project import Project
from MetaSSLSlicerLib.Logic.Case.CaseFiles import readCase

from .acts import ACTS, CREATE, Act
from .campaigns import Outcome
from .read_only_rights import read_only, why_not
from .sample_project import state_of, write_images

SENTENCE = "no permission, or the disk is read-only"
QUIET = ("remove an autosave", "note the inputs", "fill the cache", "give the lock back")
"""Acts that may find that there is nothing to write."""


def run(times: int, folder: Path, seed: int) -> Outcome:
    """Try all acts, again and again, in a project that can only be read."""
    if reason := why_not():
        return Outcome("project folder read-only", 0, 0, 0, f"left out: {reason}")
    project, images = make_full_project(folder)
    state, said, problems, done = state_of(project), "", [], 0
    while done < times:
        for act in [act for act in ACTS if act.name != CREATE][: times - done]:
            done += 1
            with read_only(folder / "disk"):
                problem, words = _tried(act, project, images, look=done % 8 == 1)
            said = said or words
            if problem or state_of(project) != state:
                problems.append(f"{act.name}: {problem or 'something was written'}")
    return Outcome(
        "project folder read-only", done, len(problems), done - len(problems), problems[0] if problems else said
    )


def make_full_project(folder: Path) -> tuple[Path, Path]:
    """A project after all acts of a session, and the folder of its images."""
    project, images = folder / "disk" / "project", write_images(folder / "images")
    project.parent.mkdir()
    for act in ACTS:
        act.do(project, images)
    return project, images


def looked_through(path: Path) -> None:
    """Read and show all that the panel shows. Raises whatever goes wrong."""
    project = Project.open(path)
    for case in project.cases:
        data = readCase(project, case)
        assert not data.warnings, data.warnings
    assert all(summary.state != "failed" for summary in round_summaries(project))
    job_status(project.latest_round())
    TrainingLock(path).busy()


def _tried(act: Act, project: Path, images: Path, look: bool) -> tuple[str, str]:
    """What is wrong, and what the user is told."""
    try:
        if look:
            looked_through(project)
        act.do(project, images)
    except MetaSSLError as error:
        said = str(error)
        return ("", said) if SENTENCE in said else (f"it says {said!r}", said)
    except Exception as error:
        return f"{type(error).__name__}: {error}", ""
    return ("" if act.name in QUIET else "nobody said that nothing was written"), ""
