"""Thousands of hostile files of every kind that a project reads: see Campaign.part for which."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

from . import hostile_images
from .campaigns import Outcome
from .hostile_child import Child, Verdict

PROJECT_FILES = ("project.json", "cases.json", "events.jsonl")
CHECKPOINTS = ("model.pt", "last.pt")


def run(times: int, folder: Path, seed: int, part: str) -> Outcome:
    """Read `times` hostile files of the kind `part`: a suffix of images, or the name of a file of a project."""
    verdicts = list(judged(times, folder, seed, part))
    bad = [verdict for verdict in verdicts if verdict.fault]
    said = next((verdict.said for verdict in [*bad, *verdicts] if verdict.said), "")
    return Outcome(f"hostile {part}", times, len(bad), times - len(bad), said)


def judged(times: int, folder: Path, seed: int, part: str) -> Iterator[Verdict]:
    """The verdict on each; a file that was a finding is kept in `folder`."""
    if part in hostile_images.FORMATS:
        yield from _images(times, folder, seed, part)
    elif part in PROJECT_FILES:
        yield from _projects(times, folder, seed, part)
    else:
        yield from _checkpoints(times, folder, seed, part)


def _images(times: int, folder: Path, seed: int, suffix: str) -> Iterator[Verdict]:
    source = folder / "images"
    hostile_images.neighbours(source)
    with Child("hostile_images") as child:
        for number in range(times):
            files, expected = hostile_images.make(suffix, Random(f"{seed} {suffix} {number}"))
            verdict = child.judge(source, suffix, files, expected, number % 10 == 0)
            if verdict.fault:
                _keep(folder / f"{verdict.fault}-{number}", files)
            yield verdict


def _projects(times: int, folder: Path, seed: int, part: str) -> Iterator[Verdict]:
    from .hostile_projects import PLACES, make, template

    original = template(folder)
    data = (original / PLACES[part]).read_bytes()
    with Child("hostile_projects") as child:
        for number in range(times):
            hostile = make(data, part, Random(f"{seed} {part} {number}"))
            verdict = child.judge(original, folder / "work", part, hostile)
            if verdict.fault:
                _keep(folder / f"{verdict.fault}-{number}", {part: hostile})
            yield verdict


def _checkpoints(times: int, folder: Path, seed: int, part: str) -> Iterator[Verdict]:
    from .hostile_checkpoints import make

    with Child("hostile_checkpoints") as child:
        for number in range(times):
            hostile = make(part, Random(f"{seed} {part} {number}"))
            verdict = child.judge(folder / part, part, hostile)
            if verdict.fault:
                _keep(folder / f"{verdict.fault}-{number}", {part: hostile})
            yield verdict


def _keep(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
