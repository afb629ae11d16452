"""Twenty real cases leave in a format and come in again as they are: voxels, names and, where it has them, colours."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from metassl.cli import main
from metassl.exports import export_project
from metassl.project import Project


def with_images(project: Project, exported: Path, labels: list[str]) -> Path:
    """The folder of an export with images/ beside its labels/, as `metassl new --from` takes it."""
    (exported / "images").mkdir()
    for case in labels:
        (source,) = project.image_paths(case)
        shutil.copy(source, exported / "images" / f"{case}.nii.gz")
    return exported


@pytest.mark.parametrize("name", ["nifti", "nnunet", "seg-nrrd"])
def test_twenty_real_cases_come_in_again(hippocampi, tmp_path, capsys, name):
    done = export_project(hippocampi, tmp_path / "out", ("labels",), format=name)
    assert (len(done.labels), done.failed, done.notes) == (20, {}, [])
    source = done.folder if name == "nnunet" else with_images(hippocampi, done.folder, done.labels)
    assert main(["new", str(tmp_path / "again"), "--from", str(source), "--validation", "0"]) == 0, capsys.readouterr()
    again = Project.open(tmp_path / "again")
    assert sorted(case.id for case in again.labelled_cases()) == sorted(done.labels)
    for case in done.labels:
        (mine, grid), (theirs, other) = hippocampi.read_label(case), again.read_label(case)
        assert np.array_equal(mine, theirs) and not grid.difference(other)
    assert [(each.value, each.name) for each in again.labels] == [(1, "Anterior"), (2, "Posterior")]
    if name != "nnunet":
        assert [each.color for each in again.labels] == [each.color for each in hippocampi.labels]
    if name == "seg-nrrd":
        assert [each.terminology for each in again.labels] == [each.terminology for each in hippocampi.labels]
