"""DICOM segmentations as annotations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from metassl.files import LabelError
from metassl.imaging import Geometry, read_annotation, read_geometry
from metassl.intake import new_project
from metassl.intake.add import add_labels
from metassl.project import LabelDefinition

pytest.importorskip("pydicom", reason="DICOM files are made with pydicom (the extra dicom)")
from dicom_files import write_seg, write_slices  # noqa: E402

ORGAN, TUMOUR = LabelDefinition(1, "Organ"), LabelDefinition(2, "Tumour")
SHAPE = (12, 8, 10)
GRID = Geometry(SHAPE[::-1], (1.5, 1.5, 5.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))


def drawn() -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:10, 1:7, 2:9] = 1
    labels[3:5, 2:5, 3:6] = labels[8, 2:5, 3:6] = 2
    return labels


def masks() -> list[tuple[str, np.ndarray]]:
    """The tumour first, in slices that do not follow each other."""
    return [("tumour", drawn() == 2), ("ORGAN", drawn() == 1)]


def read(path: Path, structures=(ORGAN, TUMOUR), grid: Geometry = GRID, **options) -> np.ndarray:
    return read_annotation(path, grid, structures, "case 7", **options).array


def refusal(path: Path, structures=(ORGAN, TUMOUR)) -> str:
    with pytest.raises(LabelError) as caught:
        read_annotation(path, GRID, structures, "case 7")
    text = str(caught.value)
    assert "case 7" in text and str(path) in text and "Wimbledon" not in text and "PID9081726" not in text
    return text


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_segments_are_matched_by_name_and_laid_on_the_series(tmp_path, kind):
    volume = np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.int16)
    series = write_slices(tmp_path / "ct", volume)
    path = write_seg(tmp_path / "seg" / "s.dcm", masks(), kind=kind)
    for source in (path, tmp_path / "seg"):
        assert np.array_equal(read(source, grid=read_geometry(series, "a")), drawn())


def test_a_fractional_segmentation_of_all_or_nothing_is_a_mask(tmp_path):
    whole = [(name, np.uint8(200) * mask) for name, mask in masks()]
    assert np.array_equal(read(write_seg(tmp_path / "a.dcm", whole, kind="FRACTIONAL")), drawn())
    whole[0][1][3, 2, 3] = 90
    assert "fractional segmentation" in refusal(write_seg(tmp_path / "b.dcm", whole, kind="FRACTIONAL"))


def test_slices_that_are_left_out_are_background(tmp_path):
    tumour = drawn() == 2
    assert np.array_equal(read(write_seg(tmp_path / "a.dcm", [("Tumour", tumour)])), 2 * tumour.astype(np.uint8))
    lone = np.zeros(SHAPE, bool)
    lone[6, 2:5, 3:6] = True
    assert np.array_equal(read(write_seg(tmp_path / "b.dcm", [("Organ", lone)])), lone.astype(np.uint8))


def test_segments_are_matched_by_code_and_refused_without_name_and_code(tmp_path):
    codes = [("SCT", "4147007", "Mass"), ("SCT", "10200004", "Liver")]
    path = write_seg(tmp_path / "a.dcm", [("1", drawn() == 2), ("2", drawn() == 1)], codes=codes)
    entry = "Segmentation category and type~SCT^123037004^Anatomical Structure~SCT^{}~^^~Anatomic codes~^^~^^"
    coded = [
        LabelDefinition(1, "Organ", terminology=entry.format("10200004^Liver")),
        LabelDefinition(2, "Tumour", terminology=entry.format("4147007^Mass")),
    ]
    assert np.array_equal(read(path, coded), drawn())
    assert "1 (1), 2 (2)" in refusal(path) and "1=Organ, 2=Tumour" in refusal(path)
    assert np.array_equal(read(path, names={"1": "Tumour", "2": "Organ"}), drawn())


def test_segments_that_overlap_are_refused_by_name(tmp_path):
    path = write_seg(tmp_path / "a.dcm", [("Tumour", drawn() == 2), ("Organ", drawn() > 0)])
    assert "Organ and Tumour overlap in at least 9 voxels" in refusal(path)


def test_a_segmentation_of_another_grid_is_refused(tmp_path):
    path = write_seg(tmp_path / "a.dcm", masks(), corner=(0.7, 0, 0))
    assert "is not on the grid of the image" in refusal(path) and "origin" in refusal(path)
    path = write_seg(tmp_path / "b.dcm", masks(), spacing=(1.5, 1.5, 2.5))
    assert "spacing" in refusal(path)


def test_segmentations_of_many_cases_are_taken_by_their_names(tmp_path):
    for name in "ab":
        write_slices(tmp_path / "scans" / name, np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.int16))
        write_seg(tmp_path / "segs" / f"{name}.dcm", masks())
    write_seg(tmp_path / "segs" / "c.dcm", masks())
    project, _ = new_project(tmp_path / "p", tmp_path / "scans", labels=[ORGAN, TUMOUR])
    done = add_labels(project, tmp_path / "segs")
    assert done.labelled == ["a", "b"]
    assert [note for note in done.warnings if "c.dcm" in note and "no case of the project has its name" in note]
    assert np.array_equal(project.read_label("b")[0], drawn())


def test_two_segmentations_in_a_folder_must_be_told_apart(tmp_path):
    for name in "ab":
        write_seg(tmp_path / f"{name}.dcm", masks())
    with pytest.raises(LabelError, match="2 segmentations: name the right one"):
        read(tmp_path)


def test_a_damaged_segmentation_names_the_case(tmp_path):
    path = write_seg(tmp_path / "a.dcm", masks())
    path.write_bytes(path.read_bytes()[:-200])
    refusal(path)
    path.write_bytes(path.read_bytes()[:900])
    refusal(path)
