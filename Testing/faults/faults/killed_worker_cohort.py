"""A project on which a whole round takes seconds, workers of our own for it, and one core, so one thread."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from metassl.choices.descriptions import LauncherDescription
from metassl.imaging import Geometry, write_array
from metassl.jobs import LAUNCHERS, LocalLauncher
from metassl.project import Case, LabelDefinition, Project

SHAPE = (24, 24, 24)
GRID = Geometry(SHAPE, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
LABELLED, VALIDATION = (0, 1), 5
BALL = 3


def ball_project(path: Path, images: Path, cases: int = 6) -> Project:
    """Images of a bright ball: two labelled, of which one twice, one for validation, the others to predict."""
    project = Project.create(path, "Balls", [LabelDefinition(BALL, "Ball")], ["MR"])
    images.mkdir(parents=True)
    z, y, x = np.mgrid[:24, :24, :24]
    for number in range(cases):
        random = np.random.default_rng(number)
        centre = random.uniform(9, 15, 3)
        ball = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < 36
        image = images / f"ball{number}.nii.gz"
        write_array(image, (2 * ball + random.normal(0, 0.3, SHAPE)).astype(np.float32), GRID)
        split = "validation" if number == VALIDATION else "pool"
        project.add_cases([Case(f"ball{number}", [str(image)], split)])
        if number in (*LABELLED, VALIDATION):
            project.add_label(f"ball{number}", ((BALL * ball).astype(np.uint8), GRID))
    first = (BALL * (project.read_label("ball0")[0] > 0)).astype(np.uint8)
    first[:8] = 0
    project.add_label("ball0", (first, GRID), state="corrected")
    return project


@contextmanager
def on_one_core() -> Iterator[None]:
    """Whatever is started inside the block gets one core, where the system can say so."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def child_launcher(name: str, module: str) -> Iterator[None]:
    """A launcher `name` that runs a module of this package as the worker, for as long as the block lasts."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), before]))
    global child
    child = partial(LocalLauncher, module)
    LAUNCHERS[name] = LauncherDescription(name, name, f"{__name__}:child")
    try:
        yield
    finally:
        del LAUNCHERS[name]
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before
