"""labels/CASE.nrrd is a copy for other programs: what one of them makes of it is told, and never lost."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk


def rewritten(project, case_id: str, value: int) -> bytes:
    """Another program paints a corner of a case's file in labels/ and saves it."""
    path = project.label_path(case_id)
    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image)
    array[0, :2] = value
    changed = sitk.GetImageFromArray(array)
    changed.CopyInformation(image)
    sitk.WriteImage(changed, str(path), True)
    return path.read_bytes()


def test_what_another_program_made_of_a_label_is_told_and_never_lost(tiny_project):
    accepted = tiny_project.read_label("case_0")
    assert tiny_project.outside_edit("case_0") is None
    theirs = rewritten(tiny_project, "case_0", 2)
    copy = tiny_project.outside_edit("case_0")
    assert copy == tiny_project.label_path("case_0")
    assert np.array_equal(tiny_project.read_label("case_0")[0], accepted[0]), "what was accepted stays the label"
    tiny_project.add_label("case_0", accepted)
    kept = list((tiny_project.path / "labels" / ".history").glob("case_0.outside-*.nrrd"))
    assert [path.read_bytes() for path in kept] == [theirs]
    assert tiny_project.outside_edit("case_0") is None


def test_an_outside_edit_can_be_taken_in(tiny_project):
    rewritten(tiny_project, "case_0", 2)
    tiny_project.add_label("case_0", tiny_project.label_path("case_0"), "corrected")
    assert (tiny_project.read_label("case_0")[0][0, :2] == 2).all()
    assert tiny_project.outside_edit("case_0") is None
    assert not list((tiny_project.path / "labels" / ".history").glob("case_0.outside-*"))


def test_a_label_that_another_program_only_wrote_again_is_no_edit(tiny_project):
    rewritten(tiny_project, "case_0", tiny_project.read_label("case_0")[0][0, 0, 0])
    assert tiny_project.outside_edit("case_0") is None


def test_a_torn_file_in_place_of_a_label_is_kept_as_well(tiny_project):
    tiny_project.label_path("case_0").write_bytes(b"NRRD0004 torn")
    assert tiny_project.outside_edit("case_0")
    tiny_project.add_label("case_0", tiny_project.read_label("case_0"))
    kept = list((tiny_project.path / "labels" / ".history").glob("case_0.outside-*.nrrd"))
    assert [path.read_bytes() for path in kept] == [b"NRRD0004 torn"]
