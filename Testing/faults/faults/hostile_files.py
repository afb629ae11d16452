"""Thousands of hostile files of every kind that a project reads: one line of the table for each kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from queue import Queue
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from . import hostile_checkpoints, hostile_images, hostile_projects
from .campaigns import Outcome
from .hostile_child import Child, Verdict
from .hostile_template import template

PARTS = {
    "NIfTI": (".nii", ".nii.gz"),
    "NRRD": (".nrrd", ".nhdr"),
    "MetaImage": (".mha", ".mhd"),
    **{part: (part,) for part in hostile_projects.ALONE},
    "ranking.json": ("ranking.json", "former ranking.json"),
    "summary.json": ("summary.json", "former summary.json"),
    "cache": ("entry.json", "image.npy"),
    "checkpoint": ("model.pt", "last.pt"),
}
"""The kinds of files, and which of each are read in turn: suffixes of images, or names of files of a project."""

AT_LENGTH = 4
"""Of so many hostile files of a project one is also trained on with."""

MEMORY_DISK = Path("/dev/shm")
"""Where there is one, hostile projects are used in it: nothing here is about a disk, and none is waited for."""

CHECKPOINTS = PARTS["checkpoint"]
Files = dict[str, bytes]
Request = tuple[Any, ...]
Maker = Callable[[Random, int], tuple[Files, Request]]
"""Makes the files for one round of a campaign, and what the child is asked: the module, and its arguments."""


def run(times: int, folder: Path, seed: int) -> Iterator[Outcome]:
    """Read `times` hostile files of each kind, as many kinds side by side as there are cores."""
    template(folder / "first")  # it trains, once for all of them
    cores: Queue[int] = Queue()
    for core in _cores():
        cores.put(core)

    def one(kind: str) -> Outcome:
        core = cores.get()
        try:
            with Child(core) as child:
                return run_kind(kind, times, folder, seed, child)
        finally:
            cores.put(core)

    with ThreadPoolExecutor(cores.qsize()) as pool:
        yield from pool.map(one, PARTS)


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def run_kind(kind: str, times: int, folder: Path, seed: int, child: Child) -> Outcome:
    """Have `child` read `times` hostile files of one kind; those that were a finding are kept in `folder`."""
    parts = list(islice(cycle(PARTS[kind]), times))
    verdicts = [
        verdict for part in dict.fromkeys(parts) for verdict in _judged(parts.count(part), folder, seed, part, child)
    ]
    bad = [verdict for verdict in verdicts if verdict.fault]
    shown = [f"{verdict.fault}: {verdict.said}" for verdict in bad] or [each.said for each in verdicts if each.said]
    return Outcome(f"hostile file: {kind}", times, len(bad), times - len(bad), (shown or [""])[0])


def _judged(times: int, folder: Path, seed: int, part: str, child: Child) -> Iterator[Verdict]:
    inside = folder / part.strip(".").replace(".", "-")
    inside.mkdir()
    prepare = _images if part in hostile_images.FORMATS else _checkpoints if part in CHECKPOINTS else _projects
    makes = prepare(inside, part)
    for number in range(times):
        files, request = makes(Random(f"{seed} {part} {number}"), number)
        verdict = child.judge(*request)
        if verdict.fault:
            _keep(inside / f"{verdict.fault}-{number}", files)
        yield verdict


def _images(folder: Path, suffix: str) -> Maker:
    source = folder / "images"
    hostile_images.neighbours(source)

    def made(random: Random, number: int) -> tuple[Files, Request]:
        files, expected = hostile_images.make(suffix, random)
        return files, ("hostile_images", source, suffix, files, expected, number % 10 == 0)

    return made


def _projects(folder: Path, part: str) -> Maker:
    original = template(folder)
    data = hostile_projects.place(original, part).read_bytes()
    work = Path(_quick_folder().name) / part

    def made(random: Random, number: int) -> tuple[Files, Request]:
        hostile = hostile_projects.make(data, part, random)
        return {part: hostile}, ("hostile_projects", original, work, part, hostile, number % AT_LENGTH == 0)

    return made


@cache
def _quick_folder() -> TemporaryDirectory:
    quick = MEMORY_DISK if os.access(MEMORY_DISK, os.W_OK) else None
    return TemporaryDirectory(prefix="metassl-hostile-", dir=quick)


def _checkpoints(folder: Path, part: str) -> Maker:
    def made(random: Random, number: int) -> tuple[Files, Request]:
        hostile = hostile_checkpoints.make(part, random)
        return {part: hostile}, ("hostile_checkpoints", folder / part, part, hostile)

    return made


def _keep(folder: Path, files: Files) -> None:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
