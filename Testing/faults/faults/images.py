"""An image is replaced or removed after it was annotated: its case is named and stops, and the others go on."""

from __future__ import annotations

import random
from pathlib import Path

from metassl.files import ImageError, MetaSSLError, read_json
from metassl.imaging.hashes import image_hashes
from metassl.project import Project
from metassl.training.inputs import InputReader
from MetaSSLSlicerLib.Logic.Case.CaseFiles import readCase
from tiny_plan import tiny_plan

from .campaigns import Outcome
from .sample_project import GRID, SHAPE, image, label, make_project, state_of, write_array, write_images

CASES = ("scan_0", "scan_1", "scan_2", "scan_3")
LABELLED = CASES[:2]
PLAN = tiny_plan(spacing_zyx=GRID.spacing_zyx, source_spacing_zyx=GRID.spacing_zyx)


def run(times: int, folder: Path, seed: int) -> Outcome:
    """Replace or remove an image of a project `times` times, then train on it, show it, and put it back."""
    dice, problems, message = random.Random(seed), [], ""
    project = make_project(folder / "project", write_images(folder / "images"), labelled=len(LABELLED))
    found = project.new_round(_record(project))
    if failed := prepare(project, found):
        problems.append(f"before anything was replaced: {failed}")
    for number in range(times):
        case, state = dice.choice(CASES), state_of(project.path)
        path = project.image_paths(case)[0]
        former = path.read_bytes()
        kind = dice.choice(FAULTS)
        kind(path, 100 + number)
        again = dice.random() < 0.5
        problem, said = problem_with(project, case, kind, found if again else project.new_round(_record(project)))
        path.write_bytes(former)
        after = {name: value for name, value in state_of(project.path).items() if name in state}
        if after != state:
            problem = problem or "something was overwritten"
        if problem:
            problems.append(f"{kind.__name__} {case}: {problem}")
        message = message or said
    lost = len(problems)
    return Outcome("image replaced or removed", times, lost, times - lost, problems[0] if lost else message)


def replaced(path: Path, seed: int) -> None:
    """Another image on the same grid."""
    write_array(path, image(seed), GRID)


def replaced_unnoticed(path: Path, seed: int) -> None:
    """Another image, as long as the former, and of the same time."""
    import os

    before = path.stat()
    changed = bytearray(path.read_bytes())
    write_array(path, image(seed), GRID)
    data = path.read_bytes()
    path.write_bytes((data + bytes(len(changed)))[: max(len(data), len(changed))])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def removed(path: Path, seed: int) -> None:
    """No image."""
    path.unlink()


FAULTS = (replaced, replaced_unnoticed, removed)


def problem_with(project: Project, case: str, kind, found) -> tuple[str, str]:
    """What is wrong, and what the user is told, when the image of `case` is not what it was; `found`: to be trained."""
    began_before = (found.path / "inputs.json").exists()
    failed = prepare(project, found)
    expected = {case} if kind is removed or case in LABELLED or began_before else set()
    if failed.keys() != expected:
        return f"{sorted(failed)} fail in place of {sorted(expected)}", ""
    said = next(iter(failed.values()), "")
    path = project.image_paths(case)[0]
    if said and (case not in said or str(path) not in said):
        return f"it says {said!r}", said
    try:
        warnings = readCase(project, case).warnings
        told = bool(warnings) and str(path) in warnings[0] and "was replaced" in warnings[0]
        if kind is removed or told != (case in LABELLED):
            return f"it is shown with the warnings {warnings}", said
    except ImageError as error:
        if kind is not removed or case not in str(error):
            return f"it is not shown: {error}", said
    return "", said


def prepare(project: Project, found) -> dict[str, str]:
    """What of a round cannot be trained on, and why. Raises AssertionError when inputs.json forgot a case."""
    failed, known = {}, _known(found)
    reader = InputReader(project, found, lambda event, case, file, reason: failed.update({case: reason}))
    inputs = reader.prepare(PLAN, lambda done, total: None)
    assert len(inputs.labelled) + len(inputs.unlabelled) == len(CASES) - len(failed)
    assert _known(found).items() >= known.items()
    return failed


def accept_again(project: Project, case: str) -> None:
    """Accept the annotation of a case on the image that is there now."""
    hashes = image_hashes(project.image_paths(case), case)
    project.add_label(case, (label(5), GRID), drawn_on=hashes)


def shown_then_replaced(project: Project, case: str) -> str:
    """What is said when the image is replaced between opening the case and saving its label."""
    hashes = readCase(project, case).imageHashes
    replaced(project.image_paths(case)[0], 77)
    try:
        project.add_label(case, (label(6), GRID), drawn_on=hashes)
    except MetaSSLError as error:
        return str(error)
    return ""


def _known(found) -> dict[str, list[str]]:
    path = found.path / "inputs.json"
    return read_json(path, "the inputs")["images"] if path.exists() else {}


def _record(project: Project) -> dict:
    labels = {case.id: case.label_version for case in project.labelled_cases()}
    unlabelled = [case.id for case in project.unlabelled_cases()]
    assert len(labels) + len(unlabelled) == len(CASES) and SHAPE
    return {"labels": labels, "validation": {}, "unlabelled": unlabelled, "config": {}}
