"""DICOM volumes: every slice and frame is looked at, and what is no volume is left out by what it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from metassl.files import ImageError
from metassl.imaging import read_geometry, read_image
from metassl.imaging.dicom import describe_series, find_series
from metassl.imaging.frames import Frame, fit_grid

pytest.importorskip("pydicom", reason="DICOM files are made with pydicom (the extra dicom)")
from dicom_files import (  # noqa: E402
    DOSE,
    ENHANCED_CT,
    PET,
    REPORT,
    SECONDARY_CAPTURE,
    dataset,
    put_voxels,
    save,
    write_enhanced,
    write_slices,
)

SAGITTAL, CORONAL = (0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 0, -1)


def stored(slices: int = 12, seed: int = 0, kind: type = np.int16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2000, (slices, 8, 10)).astype(kind)


def refusal(path) -> str:
    with pytest.raises(ImageError) as caught:
        read_geometry(path, "case 7")
    text = str(caught.value)
    assert "case 7" in text and str(path) in text and "Wimbledon" not in text and "PID9081726" not in text
    with pytest.raises(ImageError):
        read_image([path], "case 7")
    return text


def test_each_slice_has_its_own_slope_and_intercept(tmp_path):
    volume = stored(kind=np.uint16)
    slopes = [1.0, *(0.001 * (1 + 0.1 * n) for n in range(1, 12))]
    tags = [{"RescaleSlope": f"{slope:.8g}", "RescaleIntercept": n} for n, slope in enumerate(slopes)]
    folder = write_slices(tmp_path / "pet", volume, each=tags, kind=PET, modality="PT")
    expected = volume * np.array(slopes)[:, None, None] + np.arange(12)[:, None, None]
    assert np.allclose(read_image([folder], "a").array[0], expected, rtol=1e-6)


def test_whole_values_of_different_slopes_stay_whole(tmp_path):
    volume = stored()
    tags = [{"RescaleSlope": 1 + n % 3, "RescaleIntercept": -1024} for n in range(12)]
    read = read_image([write_slices(tmp_path / "ct", volume, each=tags)], "a").array[0]
    assert np.array_equal(read, volume * (1 + np.arange(12) % 3)[:, None, None] - 1024)


@pytest.mark.parametrize("degrees", [0.5, 2.5, -2.5, 15.0, 25.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_tilted_gantry_is_refused_with_how_far_it_is_off(tmp_path, degrees, axis):
    positions = np.zeros((60, 3))
    positions[:, 2] = 5 * np.arange(60)
    positions[:, axis] = positions[:, 2] * np.tan(np.radians(degrees))
    text = refusal(write_slices(tmp_path / "ct", stored(60), positions))
    assert "sheared (a tilted gantry)" in text
    if degrees == 2.5:
        assert "13 mm" in text


def test_a_tilted_stack_whose_slices_are_tilted_too_is_a_straight_grid(tmp_path):
    lean = np.radians(20)
    axes = [1, 0, 0, 0, float(np.cos(lean)), float(np.sin(lean))]
    normal = np.array([0, -np.sin(lean), np.cos(lean)])
    volume = stored(20)
    folder = write_slices(
        tmp_path / "mr", volume, [5 * n * normal for n in range(20)], ImageOrientationPatient=[f"{n:.6f}" for n in axes]
    )
    read = read_image([folder], "a")
    assert np.array_equal(read.array[0], volume) and read.geometry.spacing_xyz == pytest.approx((1.5, 1.5, 5))
    assert read.geometry.direction == pytest.approx(np.array([axes[:3], axes[3:], normal]).T.ravel(), abs=1e-5)


@pytest.mark.parametrize("gone", [1, 7, 18])
def test_a_missing_slice_is_told_wherever_it_is(tmp_path, gone):
    positions = [(0, 0, 5 * n) for n in range(20) if n != gone]
    assert "missing or unevenly spaced (5 to 10 mm)" in refusal(write_slices(tmp_path / "ct", stored(19), positions))


def test_uneven_slices_are_told_by_numbers_that_differ():
    z = np.concatenate([[0], np.cumsum(np.where(np.arange(799) < 400, 4.99734, 5.00266))])
    frames = [Frame(Path("a"), n, (0, 0, place), (1, 0, 0, 0, 1, 0), (1, 1), (8, 8)) for n, place in enumerate(z)]
    with pytest.raises(
        ValueError, match=r"unevenly spaced \(4.9973 to 5.0027 mm\): a frame \d+ lies 1.1 mm, 0.21 voxels"
    ):
        fit_grid(frames)


def test_positions_that_a_scanner_rounded_are_no_gaps(tmp_path):
    positions = [(-0.04 * (n % 2), 0.03, round(0.625 * n, 1)) for n in range(60)]
    folder = write_slices(tmp_path / "ct", stored(60), positions)
    assert read_geometry(folder, "a").spacing_xyz[2] == pytest.approx(0.625, abs=0.002)


def test_a_slice_that_is_there_twice_is_named(tmp_path):
    folder = write_slices(tmp_path / "ct", stored())
    copied = sorted(folder.iterdir())[3]
    (folder / "copy.dcm").write_bytes(copied.read_bytes())
    text = refusal(folder)
    assert "two slices lie at the same place" in text and copied.name in text and "copy.dcm" in text


def test_two_phases_are_refused_with_what_tells_them_apart(tmp_path):
    positions = [(0, 0, 5 * (n % 10)) for n in range(20)]
    tags = [{"AcquisitionNumber": 1 + n // 10, "TemporalPositionIdentifier": 1 + n // 10} for n in range(20)]
    text = refusal(write_slices(tmp_path / "ct", stored(20), positions, tags))
    assert "2 images of the same 10 places" in text and "TemporalPositionIdentifier (0020,0100) (2 values)" in text
    assert "AcquisitionNumber" in text and "folder of its own" in text


def test_a_slice_of_other_pixels_or_another_orientation_or_size_is_named(tmp_path):
    odd = [{}] * 12
    lean = [1, 0, 0, 0, 0.866025, 0.5]
    for name, tags in (("pixels", {"PixelSpacing": [0.75, 0.75]}), ("orientations", {"ImageOrientationPatient": lean})):
        each = [*odd[:7], tags, *odd[8:]]
        assert name in refusal(write_slices(tmp_path / name, stored(), each=each))
    folder = write_slices(tmp_path / "size", stored())
    write_slices(folder, np.zeros((1, 16, 16), np.int16), [(0, 0, 60)], name="odd")
    text = refusal(folder)
    assert "different sizes" in text and "odd000_0.dcm" in text


def test_a_localizer_of_three_planes_is_left_out_by_its_orientations(tmp_path):
    positions = [(0, 0, 5 * n) if n < 3 else (5 * n, 0, 0) if n < 6 else (0, 5 * n, 0) for n in range(9)]
    each = [
        {"ImageOrientationPatient": (1, 0, 0, 0, 1, 0) if n < 3 else SAGITTAL if n < 6 else CORONAL} for n in range(9)
    ]
    folder = write_slices(tmp_path / "loc", stored(9), positions, each, modality="MR")
    (series,) = describe_series(folder)
    assert series.reason == "a localizer: its slices lie in 3 orientations" and find_series(folder) == []
    assert "a localizer" in refusal(folder)


def test_a_localizer_among_the_slices_of_a_volume_is_left_out(tmp_path):
    volume = stored()
    folder = write_slices(tmp_path / "ct", volume)
    kinds = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    write_slices(folder, stored(1), [(0, 0, -300)], name="scout", ImageType=kinds, ImageOrientationPatient=SAGITTAL)
    (series,) = describe_series(folder)
    assert series.count == 12 and [path.name for path in series.left_out] == ["scout000_0.dcm"]
    assert np.array_equal(read_image([folder], "a").array[0], volume)


def test_series_are_described_and_what_is_no_image_has_its_reason(tmp_path):
    volume = stored()
    write_slices(tmp_path, volume, SeriesDescription="T1 axial", modality="MR", series="1", name="a")
    write_slices(tmp_path, stored(2), kind=SECONDARY_CAPTURE, series="2", name="b")
    write_slices(tmp_path, stored(1), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], series="3", name="c")
    save(put_voxels(dataset(DOSE, "RTDOSE", "4"), stored(3, kind=np.uint16)), tmp_path / "d.dcm")
    save(dataset(REPORT, "SR", "5"), tmp_path / "e.dcm")
    found = [(each.modality, each.count, each.description, each.reason) for each in describe_series(tmp_path)]
    assert found == [
        ("MR", 12, "T1 axial", ""),
        ("CT", 2, "", "a secondary capture"),
        ("CT", 1, "", "a localizer"),
        ("RTDOSE", 3, "", "a dose of a radiotherapy"),
        ("SR", 1, "", "a report"),
    ]
    assert np.array_equal(read_image([tmp_path], "a").array[0], volume)


def test_pictures_in_colour_are_no_volume(tmp_path):
    for number in range(3):
        made = put_voxels(dataset("1.2.840.10008.5.1.4.1.1.2", "CT", "6"), np.zeros((8, 30), np.uint8))
        made.Columns, made.SamplesPerPixel, made.PhotometricInterpretation, made.PlanarConfiguration = 10, 3, "RGB", 0
        made.ImagePositionPatient, made.ImageOrientationPatient = [0, 0, 5 * number], [1, 0, 0, 0, 1, 0]
        made.PixelSpacing = [1.5, 1.5]
        save(made, tmp_path / f"fused{number}.dcm")
    assert [each.reason for each in describe_series(tmp_path)] == ["pictures in colour"]


def test_a_folder_of_a_report_alone_says_so(tmp_path):
    save(dataset(REPORT, "SR", "5"), tmp_path / "sr" / "e.dcm")
    assert "SR is a report" in refusal(tmp_path / "sr")


def test_a_damaged_slice_at_the_end_of_a_volume_does_not_shorten_it(tmp_path):
    folder = write_slices(tmp_path / "ct", stored())
    last = next(folder.glob("*_11.dcm"))
    last.write_bytes(last.read_bytes()[:700])
    assert "cannot be read" in refusal(folder) or last.name in refusal(folder)


@pytest.mark.parametrize("order", ["as scanned", "backward", "shuffled"])
@pytest.mark.parametrize("kind", [ENHANCED_CT, "1.2.840.10008.5.1.4.1.1.4.1"])
def test_frames_are_put_in_the_order_of_their_positions(tmp_path, order, kind):
    volume, places = stored(), np.arange(12)
    places = {"as scanned": places, "backward": places[::-1], "shuffled": np.random.default_rng(2).permutation(12)}[
        order
    ]
    path = write_enhanced(tmp_path / "e.dcm", volume[places], [(10, 20, 5 * n) for n in places], kind=kind)
    for source in (path, tmp_path):
        read = read_image([source], "a")
        assert np.array_equal(read.array[0], volume)
        assert read.geometry.origin_xyz == (10, 20, 0) and read.geometry.spacing_xyz == (1.5, 1.5, 5)
        assert read_geometry(source, "a") == read.geometry


def test_frames_have_slopes_of_their_own(tmp_path):
    volume, slopes = stored(kind=np.uint16), [0.01 * (n + 1) for n in range(12)]
    path = write_enhanced(tmp_path / "e.dcm", volume, [(0, 0, 5 * n) for n in range(12)], slopes)
    assert np.allclose(read_image([path], "a").array[0], volume * np.array(slopes)[:, None, None], rtol=1e-6)


def test_frames_of_several_phases_are_refused_with_what_tells_them_apart(tmp_path):
    contents = [{"TemporalPositionIndex": 1 + n % 2, "StackID": "1"} for n in range(12)]
    path = write_enhanced(tmp_path / "e.dcm", stored(), [(0, 0, 5 * (n // 2)) for n in range(12)], contents=contents)
    text = refusal(path)
    assert "2 images of the same 6 places" in text and "they differ in TemporalPositionIndex (2 values)" in text


def test_tilted_and_missing_frames_are_refused(tmp_path):
    tilted = [(0, 0.2 * n, 5 * n) for n in range(12)]
    assert "sheared" in refusal(write_enhanced(tmp_path / "tilt" / "e.dcm", stored(), tilted))
    gap = [(0, 0, 5 * (n + (n > 6))) for n in range(12)]
    assert "missing" in refusal(write_enhanced(tmp_path / "gap" / "e.dcm", stored(), gap))


def test_frames_in_two_orientations_are_refused(tmp_path):
    axes = [(1, 0, 0, 0, 1, 0)] * 6 + [SAGITTAL] * 6
    positions = [(0, 0, 5 * n) if n < 6 else (5 * n, 0, 0) for n in range(12)]
    assert "2 orientations" in refusal(write_enhanced(tmp_path / "e.dcm", stored(), positions, axes=axes))


def test_frames_that_do_not_say_where_they_lie_are_refused(tmp_path):
    made = put_voxels(dataset("1.2.840.10008.5.1.4.1.1.20", "NM", "6"), stored(kind=np.uint16))
    assert "do not say where they lie" in refusal(save(made, tmp_path / "nm.dcm"))


def test_many_frames_without_pydicom_are_refused_with_what_to_install(tmp_path, monkeypatch):
    path = write_enhanced(tmp_path / "e.dcm", stored(), [(0, 0, 5 * n) for n in range(12)])
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    assert "pip install 'metassl[dicom]'" in refusal(path)
