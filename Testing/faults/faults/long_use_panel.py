"""Rounds of open, edit, save and next in the module's panel; what is there after each is counted.

    python -m faults.long_use_panel FOLDER ROUNDS

prints the counts of each round as a line of JSON. A process of its own: what other work left behind would count, too.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path

import numpy as np
from metassl.imaging import Geometry, write_array
from metassl.project import Case, LabelDefinition, Project

from .panel import opened_panel, paint

SHAPE = (40, 64, 64)
"""A case that is kept by mistake holds 1.3 MB: image, label, region map and uncertainty."""
GRID = Geometry(SHAPE[::-1], (1.0, 1.0, 1.5), (-10.0, 4.0, 20.0), (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))
IMAGES = 4
SPARE = 3
"""So many cases are left at the end, so that there always is a next one."""


def block(number: int) -> np.ndarray:
    """What is drawn in a round: bool (z, y, x)."""
    mask = np.zeros(SHAPE, bool)
    mask[5:25, 10 + number % 20 : 40, 12:50] = True
    return mask


def make_project(folder: Path, cases: int) -> Project:
    """All cases are predicted, so that each round shows as many nodes."""
    from predicting import predict

    project = Project.create(folder / "project", "Long", [LabelDefinition(1, "Block")], ["MR"])
    images = [folder / f"image{number}.nrrd" for number in range(IMAGES)]
    for number, path in enumerate(images):
        write_array(path, np.random.default_rng(number).normal(100, 10, SHAPE).astype(np.int16), GRID)
    project.add_cases([Case(f"case_{number}", [str(images[number % IMAGES])]) for number in range(cases)])
    for number in range(cases):
        predict(project, f"case_{number}", GRID)
    return project


def counts(harness) -> dict[str, int]:
    """Resident memory in KiB, nodes of the scene, observers of all nodes, and Qt widgets."""
    gc.collect()
    harness.process()
    scene = harness.services.scene
    nodes = [scene.GetNthNode(number) for number in range(scene.GetNumberOfNodes())]
    return {
        "memory": resident_kib(),
        "nodes": len(nodes),
        "observers": sum(str(each).count("vtkObserver (") for each in (scene, *nodes)),
        "widgets": len(harness.app.allWidgets()),
    }


def resident_kib() -> int:
    if sys.platform == "linux":
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 10
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (10 if sys.platform == "darwin" else 0)


def main(folder: Path, rounds: int) -> None:
    with opened_panel(folder / "pictures") as (harness, panel):
        path = make_project(folder, rounds + SPARE).path
        panel.projectWidget.openProject(path)
        harness.wait(lambda: panel.casesWidget.ui.nextButton.enabled)
        panel.reviewWidget.ui.goOnCheck.checked = True
        panel.casesWidget.ui.nextButton.click()
        session = panel.session
        for number in range(rounds):
            harness.wait(lambda: session.case is not None and not session.tasks.busy)
            case = paint(harness, panel, session.case.id, block(number))
            panel.annotateWidget.ui.saveButton.click()
            harness.wait(lambda case=case: session.case is not None and session.case.id != case.id)
            harness.wait(lambda: not session.tasks.busy)
            harness.process(20)
            assert session.project.case(case.id).state in ("labelled", "corrected")
            print(json.dumps(counts(harness)), flush=True)
        labelled = len(Project.open(path).labelled_cases())
    assert labelled == rounds, f"{labelled} of {rounds} labels were saved"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
