"""What is said of folders, labels and images that are not as they should be: the likely correction, and no false no."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from metassl.commands.shared.console import Console
from metassl.files import LabelError, ProjectError
from metassl.intake import find_cases, new_project
from metassl.project import parse_labels


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("1:Liver", "1=Liver"),
        ("Liver=1", "1=Liver"),
        ("1 Liver", "1=Liver"),
        ("Liver", "1=Liver"),
        ("1=Liver,2=Tumour", "1=Liver 2=Tumour"),
    ],
)
def test_a_mistyped_label_gets_its_likely_correction(typed, meant):
    with pytest.raises(LabelError) as error:
        parse_labels([typed])
    assert str(error.value).endswith(f"such as {meant}")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("a.hdr", "convert them to NIfTI"),
        ("sub/brain.mgz", "mri_convert"),
        ("scans.zip", "unpack them"),
        ("IM1.dcm", "lack the mark of DICOM"),
        ("a.npy", "have no grid"),
    ],
)
def test_where_there_are_images_of_other_kinds_it_says_which_and_what_to_do(tmp_path, name, remedy):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(ProjectError) as error:
        find_cases(tmp_path)
    assert f"1 file such as {name}: " in str(error.value) and remedy in str(error.value)


def test_images_of_another_spacing_or_size_are_told_when_a_project_is_made(tmp_path):
    (tmp_path / "data").mkdir()
    for n in range(6):
        image = sitk.GetImageFromArray(np.random.default_rng(n).normal(size=(8, 10, 12)).astype(np.float32))
        image.SetSpacing((1.0, 1.0, 6.0) if n == 5 else (1.0, 1.0, 1.0))
        sitk.WriteImage(image, str(tmp_path / "data" / f"c{n}.nrrd"))
    _project, warnings = new_project(tmp_path / "p", tmp_path / "data", labels=["1=A"])
    (warning,) = warnings
    differing = "spacing 1 x 1 x 6 mm (most others 1 x 1 x 1), size 10 x 12 x 48 mm (most others 8 x 10 x 12)"
    assert warning.startswith("case c5: ") and warning.endswith(f": unlike the others: {differing}")


def test_what_is_true_of_many_cases_is_one_warning(capsys):
    many = [f"case c{n}: /data/c{n}.png: its values are renumbered by name: A (255) is 1" for n in range(9)]
    Console().warn_all([many[0], "something else", *many[1:], "case c3: /data/c3.png: it is empty"])
    assert capsys.readouterr().err.splitlines() == [
        "warning: 9 cases (c0, c1, c2, c3, c4 and 4 more): its values are renumbered by name: A (255) is 1",
        "warning: something else",
        "warning: case c3: /data/c3.png: it is empty",
    ]
