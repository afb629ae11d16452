"""Annotations of other programs: what a file says of its values is believed before its numbers."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from metassl.files import LabelError
from metassl.imaging import IGNORE, Geometry, read_annotation, read_labels, write_array
from metassl.project import LabelDefinition

ORGAN, TUMOUR = LabelDefinition(1, "Organ"), LabelDefinition(2, "Tumour")
BOTH = [ORGAN, TUMOUR]
SHAPE = (8, 10, 12)
GRID = Geometry(SHAPE[::-1], (1.5, 1.25, 2.0), (-20.0, 15.0, 100.0), (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0))


def drawn() -> np.ndarray:
    """1 where there is organ, 2 where there is tumour."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:7, 3:9, 2:10] = 1
    labels[3:5, 4:7, 5:9] = 2
    return labels


def image_of(array: np.ndarray, grid: Geometry | None = GRID, vector: bool = False) -> sitk.Image:
    image = sitk.GetImageFromArray(array, isVector=vector)
    return image if grid is None else grid.apply(image)


def code(value: str, meaning: str, modifier: str = "^^") -> str:
    kind = f"SCT^{value}^{meaning}~{modifier}"
    return f"Segmentation category and type~SCT^123037004^Anatomical Structure~{kind}~Anatomic codes~^^~^^"


def write_seg(path: Path, image: sitk.Image, segments: list[dict]) -> Path:
    """A .seg.nrrd; segments: Name and LabelValue, and what else differs from a usual one."""
    for number, segment in enumerate(segments):
        fields = {"ID": f"Segment_{number + 1}", "Layer": "0", "Extent": "0 0 0 0 0 0", **segment}
        for key, text in fields.items():
            image.SetMetaData(f"Segment{number}_{key}", str(text))
    image.SetMetaData("Segmentation_ReferenceImageExtentOffset", "0 0 0")
    sitk.WriteImage(image, str(path), True)
    return path


def read(path: Path, structures=BOTH, grid: Geometry = GRID, **options) -> np.ndarray:
    found = read_annotation(path, grid, structures, "case 7", **options)
    assert found.array.dtype == np.uint8 and found.array.shape == grid.shape_zyx
    assert all(note.startswith(f"case case 7: {path}") for note in found.notes)
    return found.array


def notes(path: Path, structures=BOTH, grid: Geometry = GRID, **options) -> str:
    return " | ".join(read_annotation(path, grid, structures, "case 7", **options).notes)


def refusal(path: Path, structures=BOTH, grid: Geometry = GRID, **options) -> str:
    with pytest.raises(LabelError) as caught:
        read_annotation(path, grid, structures, "case 7", **options)
    text = str(caught.value)
    assert "case 7" in text and str(path) in text and "\n" not in text
    return text


@pytest.mark.parametrize("names", [("Tumour", "Organ"), ("TUMOUR ", "organ"), ("tumour", " Or gan")])
def test_segments_in_another_order_are_matched_by_name(tmp_path, names):
    swapped = np.array([0, 2, 1], np.uint8)[drawn()]
    segments = [{"Name": name, "LabelValue": value} for value, name in enumerate(names, start=1)]
    path = write_seg(tmp_path / "a.seg.nrrd", image_of(swapped), segments)
    assert np.array_equal(read(path), drawn())
    assert "renumbered by name" in notes(path) and "(1) is 2" in notes(path)


def test_what_counts_is_the_header_and_not_the_name_of_the_file(tmp_path):
    swapped = np.array([0, 9, 1], np.uint8)[drawn()]
    segments = [{"Name": "Tumour", "LabelValue": 1}, {"Name": "Organ", "LabelValue": 9}]
    assert np.array_equal(read(write_seg(tmp_path / "a.nrrd", image_of(swapped), segments)), drawn())


def test_one_segment_alone_is_the_structure_of_its_name(tmp_path):
    tumour = (drawn() == 2).astype(np.uint8)
    path = write_seg(tmp_path / "a.seg.nrrd", image_of(tumour), [{"Name": "Tumour", "LabelValue": 1}])
    assert np.array_equal(read(path), 2 * tumour)


def test_segments_of_other_names_are_refused_with_both_lists_and_can_be_named(tmp_path):
    segments = [{"Name": "Segment_1", "LabelValue": 1}, {"Name": "Segment_2", "LabelValue": 2}]
    path = write_seg(tmp_path / "a.seg.nrrd", image_of(drawn()), segments)
    text = refusal(path)
    assert "Segment_1 (1), Segment_2 (2)" in text and "1=Organ, 2=Tumour" in text and "--values Segment_1=Organ" in text
    for names in (
        {"Segment_1": "Tumour", "Segment_2": "Organ"},
        {1: "Tumour", 2: "Organ"},
        {"1": "Tumour", "2": "Organ"},
    ):
        assert np.array_equal(read(path, names=names), np.array([0, 2, 1])[drawn()])


def test_segments_without_a_known_name_are_matched_by_their_terminology(tmp_path):
    coded = [
        LabelDefinition(1, "Organ", terminology=code("10200004", "Liver")),
        LabelDefinition(2, "Tumour", terminology=code("4147007", "Mass")),
    ]
    segments = [
        {"Name": "Segment_1", "LabelValue": 1, "Tags": f"TerminologyEntry:{code('4147007', 'Mass')}|"},
        {"Name": "Segment_2", "LabelValue": 2, "Tags": f"x:y|TerminologyEntry:{code('10200004', 'Liver')}|"},
    ]
    path = write_seg(tmp_path / "a.seg.nrrd", image_of(drawn()), segments)
    assert np.array_equal(read(path, coded), np.array([0, 2, 1])[drawn()])
    assert "Segment_1 (1) is Tumour by its terminology" in notes(path, coded)
    worded = [LabelDefinition(1, "liver"), LabelDefinition(2, "mass")]  # no codes, but what they mean in words
    assert np.array_equal(read(path, worded), np.array([0, 2, 1])[drawn()])


def test_a_side_is_part_of_what_a_terminology_says(tmp_path):
    sides = [
        LabelDefinition(1, "A", terminology=code("64033007", "Kidney", "SCT^7771000^Left")),
        LabelDefinition(2, "B", terminology=code("64033007", "Kidney", "SCT^24028007^Right")),
    ]
    segments = [
        {"Name": "s", "LabelValue": 1, "Tags": f"TerminologyEntry:{sides[1].terminology}|"},
        {"Name": "t", "LabelValue": 2, "Tags": f"TerminologyEntry:{sides[0].terminology}|"},
    ]
    path = write_seg(tmp_path / "a.seg.nrrd", image_of(drawn()), segments)
    assert np.array_equal(read(path, sides), np.array([0, 2, 1])[drawn()])
    assert np.array_equal(
        read(path, [LabelDefinition(1, "left kidney"), LabelDefinition(2, "right kidney")]),
        np.array([0, 2, 1])[drawn()],
    )
    assert "there is no s" in refusal(path, [LabelDefinition(1, "Kidney"), TUMOUR])


def test_the_terminology_that_every_segment_has_says_nothing(tmp_path):
    tissue = f"TerminologyEntry:{code('85756007', 'Tissue')}|"
    structures = [LabelDefinition(1, "Organ", terminology=code("85756007", "Tissue")), TUMOUR]
    path = write_seg(
        tmp_path / "a.seg.nrrd", image_of(drawn() // 2), [{"Name": "Tumour", "LabelValue": 1, "Tags": tissue}]
    )
    assert np.array_equal(read(path, structures), drawn() // 2 * 2)


def test_a_name_and_a_terminology_that_contradict_are_refused(tmp_path):
    coded = [LabelDefinition(1, "Organ", terminology=code("10200004", "Liver")), TUMOUR]
    tags = f"TerminologyEntry:{code('10200004', 'Liver')}|"
    path = write_seg(
        tmp_path / "a.seg.nrrd", image_of(drawn() // 2), [{"Name": "Tumour", "LabelValue": 1, "Tags": tags}]
    )
    assert "has the name of Tumour and the terminology of Organ" in refusal(path, coded)


def test_an_empty_segment_says_nothing_wherever_it_is(tmp_path):
    segments = [
        {"Name": "Bone", "LabelValue": 3},
        {"Name": "Organ", "LabelValue": 1},
        {"Name": "Tumour", "LabelValue": 2},
        {"Name": "organ", "LabelValue": 4},
    ]
    assert np.array_equal(read(write_seg(tmp_path / "a.seg.nrrd", image_of(drawn()), segments)), drawn())


def test_two_segments_of_one_structure_are_refused(tmp_path):
    segments = [{"Name": "Organ", "LabelValue": 1}, {"Name": "organ", "LabelValue": 2}]
    path = write_seg(tmp_path / "a.seg.nrrd", image_of(drawn()), segments)
    assert "Organ and organ are both Organ" in refusal(path)


def test_a_value_that_no_segment_has_is_refused(tmp_path):
    path = write_seg(tmp_path / "a.seg.nrrd", image_of(drawn()), [{"Name": "Organ", "LabelValue": 1}])
    assert "value 2, and none of its segments has it" in refusal(path)


@pytest.mark.parametrize("name", ["ignore", "Not annotated"])
def test_a_segment_that_says_not_annotated_is_that(tmp_path, name):
    segments = [{"Name": "Organ", "LabelValue": 1}, {"Name": name, "LabelValue": 2}]
    path = write_seg(tmp_path / "a.seg.nrrd", image_of(drawn()), segments)
    assert np.array_equal(read(path), np.array([0, 1, IGNORE])[drawn()])
    assert f"{name} (2) is taken as not annotated" in notes(path)


def two_layers(overlap: bool) -> np.ndarray:
    organ, tumour = drawn() > 0 if overlap else drawn() == 1, drawn() == 2
    return np.stack([tumour, organ], -1).astype(np.uint8)


@pytest.mark.parametrize(
    "fields",
    [
        [{"Name": "Tumour", "LabelValue": 1, "Layer": 0}, {"Name": "Organ", "LabelValue": 1, "Layer": 1}],
        [{"Name": "Organ", "LabelValue": 1, "Layer": 1}, {"Name": "Tumour", "LabelValue": 1, "Layer": 0}],
        [{"Name": "Tumour"}, {"Name": "Organ"}],  # as Slicer 4.10 wrote them
    ],
)
def test_layers_are_put_together_where_they_do_not_overlap(tmp_path, fields):
    path = write_seg(tmp_path / "a.seg.nrrd", image_of(two_layers(False), vector=True), fields)
    assert np.array_equal(read(path), drawn())
    overlapping = write_seg(tmp_path / "b.seg.nrrd", image_of(two_layers(True), vector=True), fields)
    text = refusal(overlapping)
    assert "Organ" in text and "Tumour" in text and "overlap in at least 24 voxels" in text


def test_a_fractional_segmentation_is_refused(tmp_path):
    image = image_of(drawn())
    image.SetMetaData("Segmentation_MasterRepresentation", "Fractional labelmap")
    assert "fractional" in refusal(write_seg(tmp_path / "a.seg.nrrd", image, [{"Name": "Organ", "LabelValue": 1}]))


@pytest.mark.parametrize("suffix", [".seg.nrrd", ".nii.gz", ".mha"])
def test_any_extent_on_the_grid_of_the_image_is_put_in_its_place(tmp_path, suffix):
    whole = image_of(drawn())
    pieces = {"cropped": whole[1:11, 2:10, 1:8], "larger": sitk.ConstantPad(whole, (1, 0, 2), (0, 3, 4))}
    pieces["both"] = sitk.ConstantPad(whole[1:11, :, :], (0, 2, 0), (0, 0, 1))
    for name, piece in pieces.items():
        path = tmp_path / f"{name}{suffix}"
        if suffix == ".seg.nrrd":
            write_seg(path, piece, [{"Name": each.name, "LabelValue": each.value} for each in BOTH])
        else:
            sitk.WriteImage(piece, str(path))
        array = read(path)
        covered = np.zeros(SHAPE, bool)
        covered[slice(1, 8) if name == "cropped" else ..., :, :] = True
        assert np.array_equal(array == 1, drawn() == 1) and np.array_equal(array == 2, drawn() == 2)
        outside = IGNORE in array
        assert outside == (suffix != ".seg.nrrd" and name != "larger")
        assert ("the rest is taken as not annotated" in notes(path)) == outside


def test_axes_that_are_flipped_or_exchanged_are_put_right(tmp_path):
    whole = image_of(drawn())
    for name, turned in {
        "flipped": sitk.Flip(whole, (True, False, True)),
        "exchanged": sitk.PermuteAxes(whole, (2, 0, 1)),
        "both": sitk.Flip(sitk.PermuteAxes(whole, (1, 0, 2)), (False, True, True))[1:9, :, 1:8],
    }.items():
        sitk.WriteImage(turned, str(tmp_path / f"{name}.nii.gz"))
        array = read(tmp_path / f"{name}.nii.gz")
        assert np.array_equal(np.where(array == IGNORE, 0, array), drawn())


def test_what_lies_beside_the_image_is_refused_and_what_lies_half_outside_is_told(tmp_path):
    def moved(voxels: int) -> Path:
        image = image_of(drawn())
        image.SetOrigin(image.TransformIndexToPhysicalPoint((voxels, 0, 0)))
        segments = [{"Name": each.name, "LabelValue": each.value} for each in BOTH]
        return write_seg(tmp_path / f"{voxels}.seg.nrrd", image, segments)

    assert "have no voxel in common" in refusal(moved(12))
    assert "all that it shows lies outside" in refusal(moved(11))
    half = moved(5)
    assert np.array_equal(read(half)[..., 5:], drawn()[..., :-5])
    assert "voxels of its structures lie outside of the image" in notes(half)


def test_a_bare_label_map_as_large_as_the_image_and_moved_against_it_is_refused(tmp_path):
    write_array(tmp_path / "a.nii.gz", drawn(), Geometry(**{**GRID.__dict__, "origin_xyz": (-20.0, 18.0, 98.0)}))
    assert "as large, and lies -2, 0, -1 voxels off; correct its origin" in refusal(tmp_path / "a.nii.gz")


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"origin_xyz": (-20.0, 15.7, 100.0)}, "origin (-20, 15.7, 100) against (-20, 15, 100) mm, 0.47 of a voxel"),
        ({"spacing_xyz": (1.5, 1.25, 2.01)}, "spacing 1.5x1.25x2.01 against 1.5x1.25x2 mm"),
        ({"direction": (0.0, 1.0, 0.0, -0.96, 0.0, 0.28, 0.28, 0.0, 0.96)}, "direction"),
    ],
)
def test_voxels_that_lie_between_those_of_the_image_are_refused(tmp_path, change, phrase):
    write_array(tmp_path / "a.nrrd", drawn(), Geometry(**{**GRID.__dict__, **change}))
    text = refusal(tmp_path / "a.nrrd")
    assert "is not on the grid of the image" in text and phrase in text and "resample it to the image" in text


def test_a_mask_of_0_and_255_is_never_taken_as_not_annotated(tmp_path):
    mask = np.where(drawn() > 0, 255, 0).astype(np.uint8)
    for suffix in (".nii.gz", ".nrrd", ".mha"):
        write_array(tmp_path / f"m{suffix}", mask, GRID)
        text = refusal(tmp_path / f"m{suffix}", [ORGAN])
        assert "0 and 255 alone" in text and "not annotated" in text and "--values 255=Organ" in text
        for names in ({255: "Organ"}, "Organ"):
            assert np.array_equal(read(tmp_path / f"m{suffix}", [ORGAN], names=names), mask // 255)
        assert np.array_equal(read(tmp_path / f"m{suffix}", [ORGAN], names={255: "ignore"}), mask)
    write_array(tmp_path / "s.nrrd", mask.astype(np.int8), GRID)  # 255 in 8 bits with a sign
    assert "the value -1" in refusal(tmp_path / "s.nrrd", [ORGAN])
    assert np.array_equal(read(tmp_path / "s.nrrd", [ORGAN], names={-1: "Organ"}), mask // 255)


def test_255_beside_a_structure_is_not_annotated_and_told(tmp_path):
    labels = drawn()
    labels[0] = IGNORE
    write_array(tmp_path / "a.nii.gz", labels, GRID)
    assert np.array_equal(read(tmp_path / "a.nii.gz"), labels)
    assert "12 % of its voxels are 255, which means not annotated" in notes(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64, np.float32, np.float64])
def test_labels_of_any_type_are_read(tmp_path, kind):
    write_array(tmp_path / "a.nrrd", drawn().astype(kind), GRID)
    assert np.array_equal(read(tmp_path / "a.nrrd"), drawn())


def test_fractions_that_a_format_rounded_off_are_whole_and_others_are_none(tmp_path):
    write_array(tmp_path / "a.nii.gz", drawn().astype(np.float32) * np.float32(1.0000002) - np.float32(1e-7), GRID)
    assert np.array_equal(read(tmp_path / "a.nii.gz"), drawn())
    write_array(tmp_path / "b.nii.gz", drawn().astype(np.float32) * np.float32(0.99), GRID)
    assert "values that are not whole" in refusal(tmp_path / "b.nii.gz")


@pytest.mark.parametrize(
    ("value", "phrase"),
    [(3, "the value 3,"), (-1, "the value -1,"), (300, "the value 300,"), (70000, "the value 70000,")],
)
def test_values_that_the_project_does_not_have_are_refused_with_what_it_has(tmp_path, value, phrase):
    labels = drawn().astype(np.int32)
    labels[0, 0, 0] = value
    write_array(tmp_path / "a.nrrd", labels, GRID)
    text = refusal(tmp_path / "a.nrrd")
    assert phrase in text and "1=Organ, 2=Tumour" in text and f"--values={value}=" in text
    assert read(tmp_path / "a.nrrd", names={1: "Organ", 2: "Tumour", value: "background"})[0, 0, 0] == 0


def test_a_label_of_two_values_is_no_file_of_one_structure(tmp_path):
    write_array(tmp_path / "a.nrrd", drawn(), GRID)
    assert "should show Organ alone" in refusal(tmp_path / "a.nrrd", names="Organ")


def with_table(path: Path, names: dict[int, str]) -> Path:
    """The file with a label table in its header, as Connectome Workbench and TotalSegmentator write it."""
    entries = "".join(f'<Label Key="{key}" Red="1" Green="0.5">{name}</Label>' for key, name in names.items())
    text = f'<?xml version="1.0"?><CaretExtension><VolumeInformation Index="0"><LabelTable>{entries}</LabelTable>'
    text = f"{text}</VolumeInformation></CaretExtension>".encode()
    text += b" " * (-(len(text) + 8) % 16)
    content = bytearray(path.read_bytes())
    offset = int(struct.unpack_from("<f", content, 108)[0])
    struct.pack_into("<f", content, 108, float(352 + 8 + len(text)))
    extension = bytes([1, 0, 0, 0]) + struct.pack("<2i", len(text) + 8, 30) + text
    path.write_bytes(bytes(content[:348]) + extension + bytes(content[offset:]))
    return path


def test_the_label_table_of_a_nifti_file_is_believed(tmp_path):
    write_array(tmp_path / "a.nii", np.array([0, 5, 1], np.uint8)[drawn()], GRID)
    path = with_table(tmp_path / "a.nii", {0: "???", 5: "organ", 1: "Tumour", 9: "spleen &amp; all"})
    assert np.array_equal(read(path), drawn())
    write_array(tmp_path / "b.nii", drawn(), GRID)
    path = with_table(tmp_path / "b.nii", {1: "spleen", 2: "Tumour"})
    assert "spleen (1), Tumour (2)" in refusal(path)


def dataset(folder: Path, labels: dict) -> Path:
    (folder / "labelsTr").mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps({"labels": labels, "channel_names": {"0": "CT"}}), encoding="utf-8")
    return folder / "labelsTr" / "a.nii.gz"


def test_the_dataset_json_beside_a_label_says_what_its_values_mean(tmp_path):
    path = dataset(tmp_path, {"background": 0, "Tumour": 1, "Organ": 2, "ignore": 3})
    labels = np.array([0, 2, 1], np.uint8)[drawn()]
    labels[0] = 3
    write_array(path, labels, GRID)
    expected = drawn()
    expected[0] = IGNORE
    assert np.array_equal(read(path), expected) and "ignore (3) is taken as not annotated" in notes(path)


def test_names_of_a_data_set_that_the_project_does_not_use_are_taken_by_number_and_told(tmp_path):
    path = dataset(tmp_path, {"background": 0, "Liver": 1, "Tumour": 2})
    write_array(path, drawn(), GRID)
    assert np.array_equal(read(path), drawn()) and "Liver (1) is taken as Organ, by its number" in notes(path)
    other = dataset(tmp_path / "other", {"background": 0, "Tumour": 1, "Liver": 2})
    write_array(other, drawn(), GRID)
    assert "there is no Liver" in refusal(other), "2 is not the organ because the data set has no other name for it"


def test_the_classes_of_a_region_based_data_set_are_refused_in_words(tmp_path):
    path = dataset(tmp_path, {"background": 0, "whole": [1, 2], "core": [2], "ignore": 3})
    write_array(path, drawn(), GRID)
    assert "whole (1 + 2)" in refusal(path) and "region-based" in refusal(path)


def test_a_label_that_is_read_here_is_not_in_itks_memory(tmp_path):
    write_array(tmp_path / "a.nrrd", drawn(), GRID)
    arrays = [read(tmp_path / "a.nrrd") for _ in range(20)]
    assert all(np.array_equal(array, drawn()) for array in arrays)
    assert np.array_equal(read_labels(tmp_path / "a.nrrd", "a")[0], drawn())
