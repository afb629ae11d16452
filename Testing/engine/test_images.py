"""Reading and writing images: what is refused, and that grids survive."""

from __future__ import annotations

import gzip
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from metassl.files import ImageError, LabelError
from metassl.imaging import read_geometry, read_image, read_labels, read_volume, write_array
from metassl.imaging.volumes import split_volumes

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
FLIPPED = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)
SAGITTAL = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SUFFIXES = [".nii", ".nii.gz", ".nrrd", ".mha"]


def write(path: Path, array: np.ndarray, vector: bool = False) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=vector), str(path), True)
    return path


def complaint(paths, case: str = "case 7") -> str:
    """The one line with which an image is refused; it names the case and the file."""
    paths = paths if isinstance(paths, list) else [paths]
    with pytest.raises(ImageError) as caught:
        read_image(paths, case)
    text = str(caught.value)
    assert case in text and any(str(path) in text for path in paths) and "\n" not in text
    return text


def write_dicom(folder: Path, array: np.ndarray, positions=None, tags=None, name="IM") -> Path:
    """Write the slices of `array` as DICOM files whose names are not in slice order."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    positions = [2.5 * n for n in range(len(array))] if positions is None else positions
    for number, (plane, z) in enumerate(zip(array, positions, strict=True)):
        image = sitk.GetImageFromArray(plane[None].astype(np.int16))
        image.SetSpacing((0.75, 0.5, 1.0))
        x, y, z = z if isinstance(z, tuple) else (10.0, 20.0, z)
        header = {
            "0008|0060": "CT",
            "0010|0010": "Doe^Jane",
            "0020|000e": "1.2.826.0.1.3680043.2.1125.1",
            "0008|0018": f"1.2.826.0.1.3680043.2.1125.1.{number + 1}",
            "0020|0032": f"{x}\\{y}\\{z}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|0013": str(number + 1),
            **(tags or {}),
        }
        for tag, value in header.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{name}{(number * 7) % 11:03d}.dcm"))
        writer.Execute(image)
    return folder


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("direction", [None, IDENTITY, FLIPPED, SAGITTAL])
def test_oblique_and_flipped_volumes_come_back_unchanged(tmp_path, make_case, make_grid, suffix, direction):
    image, labels = make_case()
    grid = make_grid() if direction is None else make_grid(direction=direction)
    write_array(tmp_path / f"i{suffix}", image, grid)
    write_array(tmp_path / f"l{suffix}", labels, grid)
    read = read_image([tmp_path / f"i{suffix}"], "a")
    assert read.array.dtype == np.float32 and read.array.shape == (1, *image.shape)
    assert np.array_equal(read.array[0], image)
    assert read.geometry.difference(grid) == ""
    assert read_geometry(tmp_path / f"i{suffix}", "a").difference(grid) == ""
    read_back, geometry = read_labels(tmp_path / f"l{suffix}", "a")
    assert np.array_equal(read_back, labels) and geometry.difference(grid) == ""


def test_a_truncated_nifti_names_the_case(tmp_path, make_case):
    for suffix in (".nii", ".nii.gz"):
        path = write(tmp_path / f"a{suffix}", make_case()[0])
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert "truncated" in complaint(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_no_file_that_was_cut_off_is_read_as_if_it_were_whole(tmp_path, make_case, suffix, share):
    path = write(tmp_path / f"a{suffix}", make_case()[0])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    complaint(path)
    with pytest.raises(LabelError, match="case 7"):
        read_labels(path, "case 7")


def test_a_nifti_whose_checksum_is_wrong_is_refused(tmp_path, make_case):
    path = write(tmp_path / "a.nii.gz", make_case()[0])
    content = bytearray(gzip.decompress(path.read_bytes()))
    packed = bytearray(gzip.compress(bytes(content), 0))  # stored, so that one byte is one voxel's
    packed[len(packed) // 2] ^= 0xFF
    path.write_bytes(packed)
    assert "damaged" in complaint(path)


def test_a_nifti_of_several_gzip_members_is_read(tmp_path, make_case):
    path = write(tmp_path / "a.nii.gz", make_case()[0])
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content[:3000]) + gzip.compress(content[3000:]))
    assert np.array_equal(read_image([path], "a").array[0], make_case()[0])


def test_a_missing_image_names_the_case(tmp_path):
    assert "there is no file" in complaint(tmp_path / "a.nii.gz")


def test_a_file_that_is_no_image_names_the_case(tmp_path):
    (tmp_path / "a.nrrd").write_text("hello", encoding="utf-8")
    complaint(tmp_path / "a.nrrd")
    (tmp_path / "b.nii.gz").write_text("hello" * 200, encoding="utf-8")
    complaint(tmp_path / "b.nii.gz")
    with pytest.raises(ImageError, match="case 7"):
        read_geometry(tmp_path / "a.nrrd", "case 7")


@pytest.mark.parametrize(("value", "taken"), [(np.nan, np.min), (np.inf, np.max), (-np.inf, np.min)])
def test_a_voxel_that_is_not_finite_counts_as_the_lowest_or_highest_value(tmp_path, make_case, value, taken):
    image = make_case()[0]
    image[1, 2, 3] = value
    read = read_image([write(tmp_path / "a.nrrd", image)], "a")
    assert read.array[0, 1, 2, 3] == taken(image[np.isfinite(image)])
    assert read.lost == (1 / image.size,)


def test_an_image_of_mostly_nan_is_refused(tmp_path, make_case):
    image = make_case()[0]
    image[: len(image) // 2 + 1] = np.nan
    assert "60 % of its voxels are NaN" in complaint(write(tmp_path / "a.nrrd", image))
    image[:] = np.nan
    assert "100 % of its voxels are NaN" in complaint(write(tmp_path / "b.nrrd", image))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_nan_in_nifti_is_the_lowest_value_although_itk_reads_it_as_0(tmp_path, make_case, name, kind):
    image = make_case()[0].astype(kind) + 500
    image[1, 2, 3:5] = -1234.5
    path = write(tmp_path / name, image)
    unpack, pack = (gzip.decompress, gzip.compress) if name.endswith("gz") else (bytes, bytes)
    path.write_bytes(pack(unpack(path.read_bytes()).replace(kind(-1234.5).tobytes(), kind(np.nan).tobytes())))
    assert np.count_nonzero(read_volume(path, "a")[0][0] == 0) == 2
    read = read_image([path], "a")
    assert read.lost == (2 / image.size,)
    assert (read.array[0, 1, 2, 3:5] == np.float32(image[image > 0].min())).all()
    with pytest.raises(LabelError, match=r"voxels that are NaN or infinite \(2\)"):
        read_labels(path, "case 7")


def test_a_vector_image_in_nifti_has_nan_where_the_file_has_it(tmp_path, make_case):
    image = np.stack([make_case(0)[0], make_case(1)[0]], -1).astype(np.float32)
    image[1, 2, 3, 1] = -1234.5
    path = write(tmp_path / "a.nii", image, vector=True)
    path.write_bytes(path.read_bytes().replace(np.float32(-1234.5).tobytes(), np.float32(np.nan).tobytes()))
    read = read_image([path], "a")
    assert read.lost == (0.0, 1 / image[..., 1].size)
    assert read.array[1, 1, 2, 3] == read.array[1].min() and read.array[0, 1, 2, 3] == image[1, 2, 3, 0]


def test_volumes_of_a_4d_nifti_keep_their_nan(tmp_path, make_case):
    image = np.stack([make_case(0)[0], make_case(1)[0]]).astype(np.float32)
    image[1, 1, 2, 3] = -1234.5
    path = write(tmp_path / "a.nii", image)
    path.write_bytes(path.read_bytes().replace(np.float32(-1234.5).tobytes(), np.float32(np.nan).tobytes()))
    read = read_image(split_volumes(path, tmp_path / "volumes", "a"), "a")
    assert read.lost == (0.0, 1 / image[1].size)


def test_nan_in_a_nifti_file_larger_than_one_chunk_is_found(tmp_path):
    image = np.random.default_rng(0).random((80, 80, 80), np.float32)
    image[7, 7, 7] = image[79, 79, 79] = -1234.5
    path = write(tmp_path / "a.nii", image)
    swapped = path.read_bytes().replace(np.float32(-1234.5).tobytes(), np.float32(np.inf).tobytes())
    path.write_bytes(swapped)
    read = read_image([path], "a").array[0]
    assert read[7, 7, 7] == read[79, 79, 79] == read.max()


def test_a_number_too_large_for_float32_counts_as_infinite(tmp_path, make_case):
    image = make_case()[0].astype(np.float64)
    image[1, 2, 3] = 1e300
    assert read_image([write(tmp_path / "a.nrrd", image)], "a").lost == (1 / image.size,)


def test_an_image_of_one_value_is_refused(tmp_path):
    path = write(tmp_path / "a.nii", np.full((4, 5, 6), 3, np.int16))
    assert "every voxel has the value 3" in complaint(path)


def test_a_4d_image_is_refused_with_its_shape(tmp_path, make_case):
    path = write(tmp_path / "a.nii.gz", np.stack([make_case(0)[0], make_case(1)[0]]))
    assert "4 axes (12x14x10x2)" in complaint(path)
    with pytest.raises(ImageError, match="4 axes"):
        read_geometry(path, "case 7")


@pytest.mark.parametrize("spacing", [0.0, float("nan")])
def test_a_nifti_header_without_a_spacing_is_refused(tmp_path, make_case, spacing):
    path = write(tmp_path / "a.nii", make_case()[0])
    content = bytearray(path.read_bytes())
    content[80:92] = struct.pack("<3f", 1.0, spacing, 1.0)
    path.write_bytes(content)
    assert "no spacing" in complaint(path)
    with pytest.raises(ImageError, match="no spacing"):
        read_geometry(path, "case 7")


def test_a_nifti_header_with_a_negative_spacing_is_a_flipped_axis(tmp_path, make_case):
    path = write(tmp_path / "a.nii", make_case()[0])
    content = bytearray(path.read_bytes())
    content[80:84] = struct.pack("<f", -2.0)
    path.write_bytes(content)
    assert read_image([path], "a").geometry.spacing_xyz == (2.0, 1.0, 1.0)


def test_a_nifti_with_sheared_axes_is_refused(tmp_path, make_case):
    path = write(tmp_path / "a.nii", make_case()[0])
    content = bytearray(path.read_bytes())
    content[252:256] = struct.pack("<2h", 0, 2)
    content[280:328] = struct.pack("<12f", 1, 0.5, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)
    path.write_bytes(content)
    assert "right angles" in complaint(path)


def test_an_mha_header_with_an_impossible_spacing_is_refused(tmp_path, make_case):
    path = write(tmp_path / "a.mha", make_case()[0])
    for spacing in (b"0 1 1", b"nan 1 1"):
        path.write_bytes(path.read_bytes().replace(b"ElementSpacing = 1 1 1", b"@"))
        path.write_bytes(path.read_bytes().replace(b"@", b"ElementSpacing = " + spacing))
        complaint(path)
        path = write(path, make_case()[0])


def test_channels_are_stacked_in_the_order_given(tmp_path, make_case):
    arrays = [make_case(seed)[0] for seed in (3, 1, 2)]
    paths = [write(tmp_path / f"{n}.nrrd", array) for n, array in enumerate(arrays)]
    assert np.array_equal(read_image(paths, "a").array, np.stack(arrays))


def test_the_components_of_a_vector_image_are_channels(tmp_path, make_case):
    arrays = [make_case(seed)[0] for seed in (3, 1)]
    path = write(tmp_path / "v.nii.gz", np.stack(arrays, -1), vector=True)
    assert np.array_equal(read_image([path], "a").array, np.stack(arrays))


def test_channels_on_different_grids_are_refused(tmp_path, make_case, make_grid):
    image = make_case()[0]
    write_array(tmp_path / "a.nrrd", image, make_grid())
    write_array(tmp_path / "b.nrrd", image, make_grid(direction=FLIPPED))
    text = complaint([tmp_path / "a.nrrd", tmp_path / "b.nrrd"])
    assert "b.nrrd is not on the grid of" in text and "direction" in text


def test_a_2d_file_becomes_one_slice(tmp_path, make_case):
    plane = make_case()[0][4]
    for name, array in (("a.nii.gz", plane), ("b.nii.gz", plane[None])):
        read = read_image([write(tmp_path / name, array)], "a")
        assert read.array.shape == (1, 1, 14, 12) and np.array_equal(read.array[0, 0], plane)
        assert read.geometry.shape_zyx == (1, 14, 12) and read.geometry.spacing_xyz[2] == 1.0
        assert read_geometry(tmp_path / name, "a") == read.geometry


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int16, np.uint8, np.int64])
def test_labels_of_any_number_type_are_read_as_uint8(tmp_path, make_case, kind):
    labels = make_case()[1]
    labels[0] = 255
    read, _ = read_labels(write(tmp_path / "l.nrrd", labels.astype(kind)), "a")
    assert read.dtype == np.uint8 and np.array_equal(read, labels)


@pytest.mark.parametrize("value", [0.5, -1.0, 256.0, np.nan, np.inf])
def test_labels_that_are_not_whole_numbers_up_to_255_are_refused(tmp_path, make_case, value):
    labels = make_case()[1].astype(np.float32)
    labels[1, 2, 3] = value
    path = write(tmp_path / "l.nrrd", labels)
    with pytest.raises(LabelError, match="case 7") as caught:
        read_labels(path, "case 7")
    assert str(path) in str(caught.value)


def test_a_segmentation_of_several_layers_is_refused(tmp_path, make_case):
    labels = make_case()[1]
    path = write(tmp_path / "l.seg.nrrd", np.stack([labels, labels], -1), vector=True)
    with pytest.raises(LabelError, match="several layers"):
        read_labels(path, "case 7")


def test_only_numbers_on_their_own_grid_are_written(tmp_path, make_grid):
    with pytest.raises(ValueError, match="whole or floating numbers"):
        write_array(tmp_path / "a.nrrd", np.zeros((3, 4, 5), complex), make_grid((3, 4, 5)))
    with pytest.raises(ValueError, match="on a grid of"):
        write_array(tmp_path / "a.nrrd", np.zeros((3, 4, 5), np.uint8), make_grid((5, 4, 3)))
    assert list(tmp_path.iterdir()) == []


def test_a_big_label_map_is_written_and_read_quickly(tmp_path, make_grid):
    labels = np.zeros((64, 256, 256), np.uint8)
    labels[20:40, 60:120, 60:120] = 1
    start = time.process_time()
    write_array(tmp_path / "l.nrrd", labels, make_grid(labels.shape))
    assert np.array_equal(read_labels(tmp_path / "l.nrrd", "a")[0], labels)
    assert time.process_time() - start < 2.0
    assert (tmp_path / "l.nrrd").stat().st_size < labels.size / 50


def test_a_dicom_series_is_one_channel_in_slice_order(tmp_path, make_case):
    volume = make_case()[0].round()
    folder = write_dicom(tmp_path / "ct", volume)
    read = read_image([folder], "a")
    assert np.array_equal(read.array[0], volume)
    assert read.geometry.spacing_xyz == pytest.approx((0.75, 0.5, 2.5))
    assert read.geometry.origin_xyz == pytest.approx((10.0, 20.0, 0.0))
    assert read_geometry(folder, "a") == read.geometry


def test_a_dicom_series_with_a_missing_slice_is_refused(tmp_path, make_case):
    folder = write_dicom(tmp_path / "ct", make_case()[0])
    (folder / "IM010.dcm").unlink()
    assert "slices are missing or unevenly spaced (2.5 to 5 mm)" in complaint(folder)


def test_a_sheared_dicom_series_is_refused(tmp_path, make_case):
    positions = [(10.0, 20.0 + 0.5 * n, 2.5 * n) for n in range(10)]
    assert "sheared" in complaint(write_dicom(tmp_path / "ct", make_case()[0], positions))


def test_one_of_two_dicom_series_in_a_folder_is_named_by_a_file(tmp_path, make_case):
    other = {"0020|000e": "1.2.826.0.1.3680043.2.1125.2"}
    first, second = make_case(1)[0].round(), make_case(2)[0].round()
    folder = write_dicom(tmp_path / "both", first, name="A")
    write_dicom(folder, second, name="B", tags=other)
    assert "2 DICOM series" in complaint(folder)
    assert np.array_equal(read_image([folder / "A000.dcm"], "a").array[0], first)
    assert np.array_equal(read_image([folder / "B003.dcm"], "a").array[0], second)


def test_a_damaged_dicom_slice_names_the_case_but_never_the_patient(tmp_path, make_case):
    folder = write_dicom(tmp_path / "ct", make_case()[0])
    slice_ = folder / "IM005.dcm"
    slice_.write_bytes(slice_.read_bytes()[:-100])
    assert "Doe" not in complaint(folder)


def test_a_folder_without_images_names_the_case(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no DICOM" in complaint(tmp_path / "empty")


def test_a_volume_to_be_shown_keeps_the_files_own_type_and_its_own_memory(tmp_path, make_grid):
    values = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    write_array(tmp_path / "v.nrrd", values, make_grid((3, 4, 5)))
    channels, geometry = read_volume(tmp_path / "v.nrrd", "case 7")
    assert len(channels) == 1 and channels[0].dtype == np.int16
    assert channels[0].flags.owndata and np.array_equal(channels[0], values)
    assert geometry.difference(make_grid((3, 4, 5))) == ""
