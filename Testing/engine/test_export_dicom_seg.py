"""Labels and predictions as DICOM segmentations: the right voxels of the right series, and nothing made up."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from metassl.cli import main
from metassl.exports import export_project
from metassl.files import MetaSSLError, ProjectError
from metassl.imaging import read_annotation, read_geometry, write_array
from metassl.imaging.hashes import image_hashes
from metassl.project import Case, LabelDefinition, Project
from metassl.project.structure_changes import add_structure

pydicom = pytest.importorskip("pydicom", reason="DICOM files are made with pydicom (the extra dicom)")
highdicom = pytest.importorskip("highdicom", reason="DICOM segmentations are made with highdicom (the extra export)")
from dicom_files import ENHANCED_CT, MR, write_enhanced  # noqa: E402
from dicom_projects import (  # noqa: E402
    FRAME_OF_REFERENCE,
    LIVER,
    PATIENT,
    STRUCTURES,
    drawn,
    grid,
    make_project,
    predict,
    voxels,
    write_series_on,
)

SHAPE = (9, 12, 16)
OBLIQUE = (0.8, -0.6, 0.0, 0.36, 0.48, -0.8)


def labelled(folder: Path, axes=(1, 0, 0, 0, 1, 0), reverse: bool = False, **tags) -> tuple[Project, np.ndarray]:
    """A project of one case, "a", whose image is a series in the folder scan."""
    image = write_series_on(folder / "scan", voxels(SHAPE), grid(SHAPE, axes), reverse, **tags)
    project = make_project(folder / "p", {"a": image})
    project.add_label("a", (drawn(SHAPE), read_geometry(image, "a")))
    return project, drawn(SHAPE)


def exported(project: Project, folder: Path, *what: str) -> Path:
    result = export_project(project, folder, what or ("labels",), format="dicom-seg")
    assert result.failed == {}
    return folder


def read_back(project: Project, path: Path) -> np.ndarray:
    """By the intake."""
    (image,) = project.image_paths("a")
    return read_annotation(path, read_geometry(image, "a"), project.labels, "a").array


def planes_of(path: Path, headers: list) -> np.ndarray:
    """By highdicom: numbers of segments, a plane for each of the images, in their order."""
    seg = highdicom.seg.segread(path)
    uids = [header.SOPInstanceUID for header in headers]
    return seg.get_pixels_by_source_instance(uids, combine_segments=True, assert_missing_frames_are_empty=True)


@pytest.mark.parametrize("axes", [(1, 0, 0, 0, 1, 0), OBLIQUE, (0, 1, 0, 0, 0, -1), (-1, 0, 0, 0, -1, 0)])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_label_comes_back_voxel_by_voxel_and_slice_by_slice(tmp_path, axes, reverse):
    project, label = labelled(tmp_path, axes, reverse)
    path = exported(project, tmp_path / "out") / "labels" / "a.dcm"
    assert np.array_equal(read_back(project, path), label)
    headers = [pydicom.dcmread(file) for file in sorted((tmp_path / "scan").iterdir())]
    numbers = np.select([label == 1, label == 3, label == 200], [1, 2, 3])
    for header, plane in zip(headers, planes_of(path, headers), strict=True):
        corner = np.array(header.ImagePositionPatient, float) - grid(SHAPE, axes).origin_xyz
        z = round(float(np.linalg.norm(corner)) / 2.5)
        assert np.array_equal(plane, numbers[z])


def test_the_file_refers_to_the_series_and_has_its_patient_and_study(tmp_path):
    project, _ = labelled(tmp_path, SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Ottoline")
    seg = pydicom.dcmread(exported(project, tmp_path / "out") / "labels" / "a.dcm")
    source = pydicom.dcmread(next((tmp_path / "scan").iterdir()))
    assert seg.PatientName == "Müller^Ottoline"
    for name in PATIENT:
        assert seg[name].value == source[name].value, name
    assert (seg.StudyInstanceUID, seg.FrameOfReferenceUID) == (source.StudyInstanceUID, FRAME_OF_REFERENCE)
    assert seg.SeriesInstanceUID != source.SeriesInstanceUID and seg.Modality == "SEG"
    (series,) = seg.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == source.SeriesInstanceUID
    referenced = {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence}
    assert referenced == {pydicom.dcmread(file).SOPInstanceUID for file in (tmp_path / "scan").iterdir()}
    measures = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert (float(measures.SliceThickness), float(measures.SpacingBetweenSlices)) == pytest.approx((3.125, 2.5))


def test_segments_have_names_codes_sides_and_colours(tmp_path):
    project, _ = labelled(tmp_path)
    seg = pydicom.dcmread(exported(project, tmp_path / "out") / "labels" / "a.dcm")
    found = [
        (
            item.SegmentLabel,
            item.SegmentedPropertyCategoryCodeSequence[0].CodeMeaning,
            item.SegmentedPropertyTypeCodeSequence[0].CodeValue,
        )
        for item in seg.SegmentSequence
    ]
    assert found == [
        ("Liver", "Anatomical Structure", "10200004"),
        ("Left kidney", "Anatomical Structure", "64033007"),
        ("Tumour", "Morphologically Altered Structure", "4147007"),
    ]
    side = seg.SegmentSequence[1].SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence[0]
    assert (side.CodeValue, side.CodingSchemeDesignator, side.CodeMeaning) == ("7771000", "SCT", "Left")
    for item, label in zip(seg.SegmentSequence, STRUCTURES, strict=True):
        color = highdicom.color.CIELabColor(*_lab(item.RecommendedDisplayCIELabValue)).to_rgb()
        assert np.abs(np.subtract(color, tuple(bytes.fromhex(label.color[1:])))).max() <= 1
    assert {item.SegmentAlgorithmType for item in seg.SegmentSequence} == {"MANUAL"}


def _lab(stored) -> tuple[float, float, float]:
    lightness, a, b = stored
    return lightness * 100 / 0xFFFF, a * 255 / 0xFFFF - 128, b * 255 / 0xFFFF - 128


@pytest.mark.parametrize("map_name", ["error_probability", "uncertainty"])
def test_a_prediction_comes_with_its_uncertainty_as_fractions(tmp_path, map_name):
    project, label = labelled(tmp_path)
    geometry = read_geometry(tmp_path / "scan", "a")
    shares = np.random.default_rng(1).random(SHAPE).astype(np.float32)
    shares[:2], shares[4, 0, :2] = 0, (1.0, 0.5)
    predict(project, "a", label[::-1].copy(), geometry, {map_name: shares})
    out = exported(project, tmp_path / "out", "predictions")
    assert np.array_equal(read_back(project, out / "predictions" / "a.dcm"), label[::-1])
    segments = pydicom.dcmread(out / "predictions" / "a.dcm").SegmentSequence
    assert {(item.SegmentAlgorithmType, item.SegmentAlgorithmName) for item in segments} == {("AUTOMATIC", "MetaSSL")}
    seg = highdicom.seg.segread(out / "uncertainty" / "a.dcm")
    assert (seg.SegmentationType, seg.SegmentationFractionalType, seg.MaximumFractionalValue) == (
        "FRACTIONAL",
        "PROBABILITY",
        255,
    )
    assert ("wrong" in seg.SegmentSequence[0].SegmentLabel) == (map_name == "error_probability")
    headers = [pydicom.dcmread(file) for file in sorted((tmp_path / "scan").iterdir())]
    headers.sort(key=lambda header: header.ImagePositionPatient[2])
    planes = seg.get_pixels_by_source_instance(
        [header.SOPInstanceUID for header in headers], assert_missing_frames_are_empty=True
    )
    assert np.array_equal(planes[..., 0], np.rint(shares * 255).astype(np.float32) / np.float32(255))
    with pytest.raises(MetaSSLError, match="fractional"):
        read_back(project, out / "uncertainty" / "a.dcm")


def test_a_label_of_one_slice_and_a_series_of_one_slice_come_back(tmp_path):
    project, label = labelled(tmp_path, OBLIQUE)
    label[np.arange(len(label)) != 3] = 0
    project.add_label("a", (label, read_geometry(tmp_path / "scan", "a")))
    assert np.array_equal(read_back(project, exported(project, tmp_path / "out") / "labels" / "a.dcm"), label)
    flat = write_series_on(tmp_path / "flat" / "scan", voxels((1, 12, 16)), grid((1, 12, 16), OBLIQUE))
    project = make_project(tmp_path / "flat" / "p", {"a": flat})
    project.add_label("a", (label[3:4], read_geometry(flat, "a")))
    path = exported(project, tmp_path / "flat" / "out") / "labels" / "a.dcm"
    assert np.array_equal(read_back(project, path), label[3:4])


def test_what_a_model_did_not_know_and_what_was_replaced_is_not_claimed_of_a_prediction(tmp_path):
    project, label = labelled(tmp_path)
    geometry = read_geometry(tmp_path / "scan", "a")
    label[label == 200] = 0
    predict(project, "a", label, geometry, {}, volume_ml={"Liver": 1.0, "Left kidney": 1.0}, image_hashes=["f" * 64])
    with pytest.raises(ProjectError, match="was replaced after it was predicted"):
        export_project(project, tmp_path / "out", ("predictions",), format="dicom-seg")
    found = project.latest_round().prediction("a").summary
    found.write_text(found.read_text("utf-8").replace("f" * 64, image_hashes([tmp_path / "scan"], "a")[0]), "utf-8")
    result = export_project(project, tmp_path / "out", ("predictions",), format="dicom-seg")
    assert any("its prediction says nothing about Tumour" in note for note in result.notes)
    assert any("no uncertainty of its prediction" in note for note in result.notes)
    seg = pydicom.dcmread(tmp_path / "out" / "predictions" / "a.dcm")
    assert [item.SegmentLabel for item in seg.SegmentSequence] == ["Liver", "Left kidney"]
    assert seg.SeriesDescription == "MetaSSL predictions, round 0001"


def test_one_file_of_many_frames_in_any_order(tmp_path):
    geometry = grid(SHAPE, spacing=(1.5, 1.5, 5.0))
    order = np.random.default_rng(2).permutation(SHAPE[0])
    corners = [np.array(geometry.origin_xyz) + (0, 0, 5.0 * z) for z in order]
    contents = [{"InStackPositionNumber": int(z) + 1, "StackID": "1"} for z in order]
    path = write_enhanced(
        tmp_path / "scan" / "e.dcm",
        voxels(SHAPE)[order],
        corners,
        contents=contents,
        kind=ENHANCED_CT,
        modality="CT",
        tags={"FrameOfReferenceUID": FRAME_OF_REFERENCE, **PATIENT},
    )
    project = make_project(tmp_path / "p", {"a": path})
    project.add_label("a", (drawn(SHAPE), read_geometry(path, "a")))
    made = exported(project, tmp_path / "out") / "labels" / "a.dcm"
    assert np.array_equal(read_back(project, made), drawn(SHAPE))
    frames = highdicom.seg.segread(made).get_pixels_by_source_frame(
        pydicom.dcmread(path).SOPInstanceUID,
        range(1, SHAPE[0] + 1),
        combine_segments=True,
        assert_missing_frames_are_empty=True,
        ignore_spatial_locations=True,
    )
    label = drawn(SHAPE)[order]
    assert np.array_equal(frames, np.select([label == 1, label == 3, label == 200], [1, 2, 3]))


def test_a_series_that_shares_its_folder_is_the_one_referred_to(tmp_path):
    geometry = grid(SHAPE)
    write_series_on(tmp_path / "scan", voxels(SHAPE), geometry, series="7", name="CT")
    write_series_on(tmp_path / "scan", voxels(SHAPE, 1), geometry, series="8", name="MR", kind=MR, modality="MR")
    second = next((tmp_path / "scan").glob("MR*"))
    project = make_project(tmp_path / "p", {"a": second})
    project.add_label("a", (drawn(SHAPE), read_geometry(second, "a")))
    seg = pydicom.dcmread(exported(project, tmp_path / "out") / "labels" / "a.dcm")
    assert [series.SeriesInstanceUID for series in seg.ReferencedSeriesSequence] == ["2.25.8"]


def test_cases_that_are_not_from_dicom_and_partial_labels_are_left_out_by_name(tmp_path):
    project, label = labelled(tmp_path)
    write_array(tmp_path / "b.nii.gz", voxels(SHAPE).astype(np.float32), grid(SHAPE))
    project.add_cases([Case("b", [str(tmp_path / "b.nii.gz")]), Case("c", [str(tmp_path / "scan")])])
    project.add_label("b", (label, grid(SHAPE)))
    partial = label.copy()
    partial[:3] = 255
    project.add_label("c", (partial, read_geometry(tmp_path / "scan", "c")))
    result = export_project(project, tmp_path / "out", ("labels",), format="dicom-seg")
    assert result.labels == ["a"]
    assert "case b" in result.failed["b"] and "is no DICOM" in result.failed["b"]
    assert "case c" in result.failed["c"] and "not annotated" in result.failed["c"]
    assert [path.name for path in (tmp_path / "out" / "labels").iterdir()] == ["a.dcm"]


def test_a_structure_that_a_label_does_not_speak_about_is_no_segment(tmp_path):
    project, label = labelled(tmp_path)
    add_structure(project, LabelDefinition(7, "Spleen", terminology=LIVER.terminology.replace("10200004", "78961009")))
    result = export_project(project, tmp_path / "out", ("labels",), format="dicom-seg")
    assert "case a: its label says nothing about Spleen" in " ".join(result.notes)
    seg = pydicom.dcmread(tmp_path / "out" / "labels" / "a.dcm")
    assert [item.SegmentLabel for item in seg.SegmentSequence] == ["Liver", "Left kidney", "Tumour"]


def test_a_label_without_any_structure_is_a_file_of_empty_segments(tmp_path):
    project, label = labelled(tmp_path)
    project.add_label("a", (0 * label, read_geometry(tmp_path / "scan", "a")), allow_empty=True)
    assert not read_back(project, exported(project, tmp_path / "out") / "labels" / "a.dcm").any()


def test_structures_without_a_term_are_named_and_can_be_given_one(tmp_path, capsys):
    image = write_series_on(tmp_path / "scan", voxels(SHAPE), grid(SHAPE))
    names = [LabelDefinition(1, "Leber"), LabelDefinition(3, "Left kidney"), LabelDefinition(200, "Odd")]
    project = make_project(tmp_path / "p", {"a": image}, names)
    project.add_label("a", (drawn(SHAPE), read_geometry(image, "a")))
    words = ["export", str(project.path), str(tmp_path / "out"), "--format", "dicom-seg"]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert "1=Leber, 3=Left kidney, 200=Odd" in told and f"structure {project.path} term 1=" in told
    assert not (tmp_path / "out").exists()
    for given in ("1=liver", "3=left kidney", "200=SCT^49755003^Morphologically Altered Structure~SCT^4147007^Mass"):
        assert main(["structure", str(project.path), "term", given]) == 0
    assert main(words) == 0
    capsys.readouterr()
    seg = pydicom.dcmread(tmp_path / "out" / "labels" / "a.dcm")
    types = [item.SegmentedPropertyTypeCodeSequence[0].CodeMeaning for item in seg.SegmentSequence]
    assert types == ["Liver", "Kidney", "Mass"]


def test_odd_fields_of_a_patient_are_copied_as_they_are_and_told_to_nobody(tmp_path, capsys, caplog, recwarn):
    odd = {"PatientSex": "Ottoline", "PatientBirthDate": "in 1931", "PatientName": "Wimbledon, Ottoline" * 5}
    odd |= {"StudyInstanceUID": "2.25.Ottoline"}
    with pydicom.config.disable_value_validation():
        project, _ = labelled(tmp_path, **odd)
    words = ["export", str(project.path), str(tmp_path / "out"), "--format", "dicom-seg", "--json"]
    recwarn.clear()
    assert main(words) == 0
    said = " ".join([*capsys.readouterr(), caplog.text, *(str(each.message) for each in recwarn)])
    seg = pydicom.dcmread(tmp_path / "out" / "labels" / "a.dcm")
    assert {name: str(seg[name].value) for name in odd} == odd
    kept = b"".join(path.read_bytes() for path in project.path.rglob("*") if path.is_file())
    secrets = {**PATIENT, **odd}.values()
    assert [each for each in secrets if len(each) > 4 and (each in said or each.encode() in kept)] == []


def test_a_header_without_a_frame_of_reference_is_told_with_the_file(tmp_path):
    project, _ = labelled(tmp_path, FrameOfReferenceUID="")
    with pytest.raises(ProjectError, match=r"case a: .*FrameOfReferenceUID \(0020,0052\)") as caught:
        export_project(project, tmp_path / "out", ("labels",), format="dicom-seg")
    assert not any(value in str(caught.value) for value in PATIENT.values() if len(value) > 4)


def test_a_series_that_was_replaced_is_not_referred_to(tmp_path):
    project, _ = labelled(tmp_path)
    write_series_on(tmp_path / "scan", voxels(SHAPE, 5), grid(SHAPE))
    with pytest.raises(ProjectError, match="was replaced after it was annotated"):
        export_project(project, tmp_path / "out", ("labels",), format="dicom-seg")


def test_without_highdicom_the_message_says_what_to_install(tmp_path, monkeypatch, capsys):
    project, _ = labelled(tmp_path)
    monkeypatch.setitem(sys.modules, "highdicom", None)
    assert main(["export", str(project.path), str(tmp_path / "out"), "--format", "dicom-seg", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "missing_package" and f"{sys.executable} -m pip install highdicom" in error["message"]


def test_a_project_without_dicom_is_not_asked_for_terms(tiny_project, tmp_path):
    with pytest.raises(ProjectError, match="none of these cases has a DICOM image"):
        export_project(tiny_project, tmp_path / "out", format="dicom-seg")
