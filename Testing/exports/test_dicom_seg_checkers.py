"""DICOM segmentations before the programs of others: dciodvfy (Debian's dicom3tools), dcmqi, highdicom; and back in."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from metassl.cli import main
from metassl.exports import export_project
from metassl.imaging import Geometry, read_annotation, read_geometry
from metassl.imaging.annotations import placed
from metassl.project import LabelDefinition, Project
from metassl.project.terms import codes_of

pydicom = pytest.importorskip("pydicom", reason="DICOM files are made with pydicom (the extra dicom)")
highdicom = pytest.importorskip("highdicom", reason="DICOM segmentations are made with highdicom (the extra export)")
pytest.importorskip("dcmqi", reason="DICOM segmentations are read by dcmqi (the extra checkers)")
from dicom_files import ENHANCED_CT, ENHANCED_MR, MR, write_enhanced  # noqa: E402
from dicom_projects import (  # noqa: E402
    FRAME_OF_REFERENCE,
    LIVER,
    PATIENT,
    STRUCTURES,
    drawn,
    entry,
    grid,
    make_project,
    predict,
    voxels,
    write_series_on,
)

SHAPE = (14, 20, 24)
OBLIQUE = (0.8, -0.6, 0.0, 0.36, 0.48, -0.8)
CASES = 20


def program(name: str, where: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip(f"there is no {name}: {where}")
    return found


def complaints(path: Path) -> list[str]:
    """What dciodvfy says of a file, besides of what kind it is, and of a patient without a name: the image has none."""
    command = [program("dciodvfy", "apt-get install dicom3tools"), str(path)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    lines = (done.stdout + done.stderr).splitlines()
    assert "Segmentation" in lines
    return [line for line in lines if line != "Segmentation" and "needed to build DICOMDIR" not in line]


def by_dcmqi(path: Path, geometry: Geometry, folder: Path) -> tuple[np.ndarray, list[dict]]:
    """What dcmqi reads: numbers of segments on the image's grid (steps of a fractional one), and what they are."""
    converter = program("segimage2itkimage", "pip install dcmqi")
    folder.mkdir()
    command = [converter, "--inputDICOM", str(path), "--outputDirectory", str(folder), "-t", "nrrd", "--mergeSegments"]
    subprocess.run(command, check=True, capture_output=True)
    (image_file,) = folder.glob("*.nrrd")
    image = sitk.ReadImage(str(image_file))
    placement = Geometry.of(image).placement(geometry, slack=0.01)
    assert not isinstance(placement, str), placement
    array, notes = placed(sitk.GetArrayFromImage(image).astype(np.uint8), placement, geometry, 0)
    assert notes == []
    (meta,) = folder.glob("*meta.json")
    return array, [each for group in json.loads(meta.read_text("utf-8"))["segmentAttributes"] for each in group]


def by_highdicom(path: Path, files: list[Path]) -> np.ndarray:
    """Numbers of segments, slice by slice of the image's files, from the one that lies lowest along its normal."""
    headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
    x, y = np.array(headers[0].ImageOrientationPatient, float).reshape(2, 3)
    headers.sort(key=lambda header: float(np.array(header.ImagePositionPatient, float) @ np.cross(x, y)))
    return highdicom.seg.segread(path).get_pixels_by_source_instance(
        [header.SOPInstanceUID for header in headers], combine_segments=True, assert_missing_frames_are_empty=True
    )


def numbered(label: np.ndarray, structures: list[LabelDefinition]) -> np.ndarray:
    numbers = np.zeros(256, np.uint8)
    numbers[[structure.value for structure in structures]] = np.arange(1, len(structures) + 1)
    return numbers[label]


@dataclass
class Made:
    """A file that was exported of a case."""

    project: Project
    case: str
    path: Path

    @property
    def image(self) -> Path:
        return self.project.image_paths(self.case)[0]


def series(folder: Path) -> Iterator[tuple[str, Path]]:
    """Cases of many kinds."""
    for name, axes in (("axial", (1, 0, 0, 0, 1, 0)), ("oblique", OBLIQUE), ("sagittal", (0, 1, 0, 0, 0, -1))):
        yield name, write_series_on(folder / name, voxels(SHAPE), grid(SHAPE, axes))
        yield f"{name}_reversed", write_series_on(folder / f"{name}_reversed", voxels(SHAPE), grid(SHAPE, axes), True)
    yield "mr", write_series_on(folder / "mr", voxels(SHAPE), grid(SHAPE, OBLIQUE), kind=MR, modality="MR")
    bare = dict.fromkeys(PATIENT, "")
    yield "anonymous", write_series_on(folder / "anonymous", voxels(SHAPE), grid(SHAPE), **bare)
    order = np.random.default_rng(2).permutation(SHAPE[0])
    for name, kind, modality in (("enhanced_ct", ENHANCED_CT, "CT"), ("enhanced_mr", ENHANCED_MR, "MR")):
        yield (
            name,
            write_enhanced(
                folder / name / "e.dcm",
                voxels(SHAPE)[order],
                [(-31.5, 12.25, 5.0 * z) for z in order],
                contents=[{"InStackPositionNumber": int(z) + 1, "StackID": "1"} for z in order],
                kind=kind,
                modality=modality,
                tags={"FrameOfReferenceUID": FRAME_OF_REFERENCE, **PATIENT},
            ),
        )


def kinds(folder: Path) -> Project:
    images = dict(series(folder / "scans"))
    project = make_project(folder / "p", images)
    for case, image in images.items():
        project.add_label(case, (drawn(SHAPE), read_geometry(image, case)))
    return project


def large(folder: Path) -> Project:
    """A scan of 200 x 512 x 512 voxels, with 12 structures."""
    shape, count = (200, 512, 512), 12
    image = write_series_on(folder / "scan", np.zeros(shape, np.int16) + np.arange(512, dtype=np.int16), grid(shape))
    structures = [LabelDefinition(10 * n + 1, f"Part {n}", terminology=LIVER.terminology) for n in range(count)]
    project = make_project(folder / "p", {"a": image}, structures)
    label = np.zeros(shape, np.uint8)
    for number, structure in enumerate(structures):
        label[10 * number : 10 * number + 60, 20 * number : 20 * number + 19, 5 : 400 + number] = structure.value
    project.add_label("a", (label, read_geometry(image, "a")))
    return project


def hippocampi_as_dicom(folder: Path) -> Project:
    """Real images as DICOM series, a folder each, with their labels, by the command line."""
    data = Path(__file__).resolve().parents[3] / "shared" / "data" / "Task04_Hippocampus"
    if not data.is_dir():
        pytest.skip(f"the real images are not here: {data}")
    (folder / "labels").mkdir(parents=True)
    for file in sorted((data / "imagesTr").glob("*.nii.gz"))[:CASES]:
        image = sitk.DICOMOrient(sitk.ReadImage(str(file)), "LPS")
        array = np.rint(sitk.GetArrayFromImage(image)).astype(np.int16)
        write_series_on(folder / "scans" / file.name[:-7], array, Geometry.of(image), kind=MR, modality="MR")
        shutil.copy(data / "labelsTr" / file.name, folder / "labels")
    project = begin(folder / "p", folder / "scans", folder / "labels")
    assert len(project.labelled_cases()) == CASES
    return project


def begin(path: Path, scans: Path, labels: Path) -> Project:
    metassl("new", path, "--from", scans, "--labels", "1=Anterior", "2=Posterior")
    for value, side in ((1, "SCT^255549009^Anterior"), (2, "SCT^255551008^Posterior")):
        codes = "~".join(entry("SCT^5366008^Hippocampus", side).split("~")[1:4])
        metassl("structure", path, "term", f"{value}={codes}")
    metassl("label", path, "--from", labels)
    return Project.open(path)


def metassl(*words: object) -> None:
    assert main([str(word) for word in words]) == 0


@pytest.fixture(scope="module", params=[kinds, large, hippocampi_as_dicom])
def made(request, tmp_path_factory) -> list[Made]:
    folder = tmp_path_factory.mktemp(request.param.__name__)
    project = request.param(folder)
    metassl("export", project.path, folder / "out", "--format", "dicom-seg")
    return [Made(project, case, folder / "out" / "labels" / f"{case}.dcm") for case in project.cases]


def test_dciodvfy_has_nothing_to_complain_of(made):
    assert [(each.case, told) for each in made if (told := complaints(each.path))] == []


def test_dcmqi_finds_the_same_voxels_names_codes_and_colours(made, tmp_path):
    for each in made:
        label, geometry = each.project.read_label(each.case)
        array, told = by_dcmqi(each.path, geometry, tmp_path / each.case)
        assert np.array_equal(array, numbered(label, each.project.labels))
        for item, structure in zip(told, each.project.labels, strict=True):
            codes, kind = codes_of(structure.terminology), item["SegmentedPropertyTypeCodeSequence"]
            assert item["SegmentLabel"] == structure.name
            assert (kind["CodeValue"], kind["CodeMeaning"]) == (codes.type.value, codes.type.meaning)
            side = item.get("SegmentedPropertyTypeModifierCodeSequence", {}).get("CodeMeaning")
            assert side == (codes.modifier.meaning if codes.modifier else None)
            color = np.subtract(item["recommendedDisplayRGBValue"], tuple(bytes.fromhex(structure.color[1:])))
            assert np.abs(color).max() <= (1 if structure in STRUCTURES else 40), "dcmqi shifts dark, saturated colours"


def test_highdicom_finds_the_same_voxels_in_each_slice_of_the_image(made):
    for each in made:
        if each.image.is_dir():
            planes = by_highdicom(each.path, list(each.image.iterdir()))
            assert np.array_equal(planes, numbered(each.project.read_label(each.case)[0], each.project.labels))


def test_the_intake_finds_the_same_voxels(made):
    for each in made:
        grid_of_image = read_geometry(each.image, each.case)
        found = read_annotation(each.path, grid_of_image, each.project.labels, each.case).array
        assert np.array_equal(found, each.project.read_label(each.case)[0])


def test_twenty_real_cases_come_in_again_by_the_command_line(tmp_path):
    first = hippocampi_as_dicom(tmp_path)
    metassl("export", first.path, tmp_path / "out", "--format", "dicom-seg")
    second = begin(tmp_path / "second", tmp_path / "scans", tmp_path / "out" / "labels")
    versions = {case.id: case.label_version for case in first.labelled_cases()}
    assert len(versions) == CASES
    assert {case.id: case.label_version for case in second.labelled_cases()} == versions, "voxels and grids are equal"


@pytest.mark.parametrize("map_name", ["error_probability", "uncertainty"])
def test_a_prediction_and_its_uncertainty_pass_too(tmp_path, map_name):
    geometry = grid(SHAPE, OBLIQUE)
    image = write_series_on(tmp_path / "scan", voxels(SHAPE), geometry)
    project = make_project(tmp_path / "p", {"a": image})
    shares = np.random.default_rng(1).random(SHAPE).astype(np.float32)
    shares[:3] = 0
    predict(project, "a", drawn(SHAPE), read_geometry(image, "a"), {map_name: shares})
    export_project(project, tmp_path / "out", ("predictions",), format="dicom-seg")
    path = tmp_path / "out" / "uncertainty" / "a.dcm"
    steps, (told,) = by_dcmqi(path, geometry, tmp_path / "dcmqi")
    assert np.array_equal(steps, np.rint(shares * 255).astype(np.uint8))
    assert told["SegmentedPropertyTypeCodeSequence"]["CodeMeaning"] == "Uncertain"
    assert complaints(tmp_path / "out" / "predictions" / "a.dcm") == complaints(path) == []


def test_dciodvfy_does_complain_of_what_is_wrong(tmp_path):
    image = write_series_on(tmp_path / "scan", voxels(SHAPE), grid(SHAPE))
    project = make_project(tmp_path / "p", {"a": image}, STRUCTURES)
    project.add_label("a", (drawn(SHAPE), read_geometry(image, "a")))
    export_project(project, tmp_path / "out", ("labels",), format="dicom-seg")
    broken = pydicom.dcmread(tmp_path / "out" / "labels" / "a.dcm")
    del broken.SegmentSequence[0].SegmentedPropertyTypeCodeSequence
    broken.save_as(tmp_path / "broken.dcm")
    assert any(line.startswith("Error") for line in complaints(tmp_path / "broken.dcm"))
