"""An image unlike the others is told, and an ordinary set of images gives no alarm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from in_process import trainings_in_this_process
from metassl.data.intensity import believable
from metassl.data.unlike import Description, Usual, unlike
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import CaseImage, read_image
from metassl.jobs import job_status
from metassl.jobs.start import start_training
from metassl.project.round_files import read_notes

STRAIGHT = (1.0, 0, 0, 0, 1, 0, 0, 0, 1)


def scan(seed: int, spacing=(1.0, 1.0, 1.0), direction=STRAIGHT, change=lambda array: array) -> CaseImage:
    rng = np.random.default_rng(seed)
    array = np.abs(rng.normal(0, 3, (20, 30, 30)))
    array[:, 6:24, 6:24] = rng.normal(100, 12, (20, 18, 18))
    array[6:12, 10:16, 10:16] = rng.normal(180, 12, (6, 6, 6))
    return CaseImage(
        change(array)[None].astype(np.float32), Geometry((30, 30, 20), spacing, (0.0, 0.0, 0.0), direction)
    )


def described(image: CaseImage) -> Description:
    return Description.of(image, [believable(channel) for channel in image.array])


def found(last: CaseImage | None = None) -> dict[str, str]:
    images = {f"c{n}": scan(n, change=lambda array, n=n: array * (1 + 0.3 * n) + 10 * n) for n in range(8)}
    if last is not None:
        images["odd"] = last
    return unlike({case: described(image) for case, image in images.items()})


def test_other_scales_and_offsets_of_a_scanner_are_not_unlike():
    assert found() == {}


@pytest.mark.parametrize(
    ("last", "told"),
    [
        (scan(9, spacing=(1.0, 1.0, 5.0)), "spacing 5 x 1 x 1 mm (most others 1 x 1 x 1)"),
        (scan(9, spacing=(3.0, 3.0, 3.0)), "size 60 x 90 x 90 mm (most others 20 x 30 x 30)"),
        (scan(9, direction=(-1.0, 0, 0, 0, -1, 0, 0, 0, 1)), "orientation RAS (most others LPS)"),
        (scan(9, change=lambda array: 300 - array), "intensities unlike"),
        (scan(9, change=lambda array: 300 - array), "bright where the others are dark: is it inverted?"),
    ],
)
def test_an_odd_image_is_told_with_what_is_odd(last, told):
    assert list(found(last)) == ["odd"] and told in found(last)["odd"]


def test_an_inverted_image_is_odd_even_where_bright_and_dark_are_as_frequent():
    def half(seed: int, sign: int = 1) -> CaseImage:
        array = np.random.default_rng(seed).normal(0, 10, (16, 20, 24))
        array[:, :, :12] += sign * 40
        return CaseImage(array[None].astype(np.float32), Geometry((24, 20, 16), (1.0,) * 3, (0.0,) * 3, STRAIGHT))

    images = {f"c{n}": described(half(n)) for n in range(6)}
    assert unlike(images) == {}
    usual = Usual.of_json(Usual.of(images.values()).to_json())
    assert usual.differs(described(half(7, -1))).startswith("bright where the others are dark: is it inverted?")
    assert usual.differs(described(half(8))) == ""


def test_an_image_of_few_voxels_has_blocks_too():
    array = np.arange(2 * 3 * 5, dtype=np.float32).reshape(1, 2, 3, 5)
    flat = described(CaseImage(array, Geometry((5, 3, 2), (1.0,) * 3, (0.0,) * 3, STRAIGHT)))
    assert flat.coarse.shape == (1, 64) and np.isfinite(flat.coarse).all()


def test_padding_makes_no_image_unlike_the_others():
    def padded(array: np.ndarray) -> np.ndarray:
        array[:, :, :3] = -32767
        return array

    assert found(scan(9, change=padded)) == {}


def test_fewer_than_five_images_have_no_usual_one():
    few = {f"c{n}": described(scan(n)) for n in range(3)}
    assert unlike({**few, "odd": replace(few["c0"], orientation="RAS")}) == {}


@pytest.mark.parametrize("task", ["Task04_Hippocampus", "Task27_ACDC"])
def test_real_images_give_few_alarms(task):
    folder = Path(__file__).resolve().parents[3] / "shared" / "data" / task / "imagesTr"
    if not folder.is_dir():
        pytest.skip(f"the real images are not there: {folder}")
    paths = sorted(folder.glob("*.nii.gz"))[:60]
    images = {path.name: described(read_image([path], path.name)) for path in paths}
    assert len(unlike(images)) <= 6


def test_what_is_odd_about_the_images_of_a_round_is_told_and_kept(tiny_project, monkeypatch):
    case = tiny_project.case("case_4")
    path = tiny_project.image_paths(case)[0]
    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    array[:, :, : array.shape[2] // 8] = -32767
    padded = sitk.GetImageFromArray(array)
    padded.CopyInformation(image)
    sitk.WriteImage(padded, str(path))
    with trainings_in_this_process(monkeypatch):
        found = start_training(tiny_project, iterations=2, device="cpu")
    notes, usual = read_notes(found)
    assert list(notes) == ["case_4"] and "padding outside of" in notes["case_4"]
    told = [warning for warning in job_status(found).warnings if "padding" in warning]
    assert len(told) == 1 and told[0].startswith(f"case case_4: {path}: ")
    assert Usual.of_json(usual).differs(described(read_image([path], "case_4"))) == ""
