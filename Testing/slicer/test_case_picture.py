"""Pictures of cases, drawn by the real MRML classes of slicer-core."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from metassl.imaging import Geometry, write_array
from metassl.project import LabelDefinition
from MetaSSLPictures.PictureCase import PictureCase

if importlib.util.find_spec("slicer") is None:
    pytest.skip("slicer-core is not installed: pip install 'metassl[report]'", allow_module_level=True)

from metassl.project.regions import DC, DS, UC, US
from MetaSSLPictures.CasePainter import CasePainter
from MetaSSLPictures.PictureLayout import panelCorners
from MetaSSLSlicerLib.ColorTables import regionColorNode

SIZE = 320
SHAPE = (24, 32, 36)
MODULE = Path(__file__).parents[2] / "MetaSSLSlicer"
STRAIGHT = Geometry(SHAPE[::-1], (1.0, 1.0, 1.5), (-18.0, -16.0, -18.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
PLACE = (23, 14, 12)
LEFT = LabelDefinition(1, "Left half", "#CC79A7")
RIGHT = LabelDefinition(2, "Right half", "#56B4E9")


def oblique() -> Geometry:
    """Turned by 15 and 10 degrees, with x and z reversed, anisotropic, off the origin."""
    a, b = np.radians([15.0, 10.0])
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1.0]])
    tilt = np.array([[1.0, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    direction = turn @ tilt @ np.diag([-1.0, 1.0, -1.0])
    return Geometry(SHAPE[::-1], (1.0, 1.25, 2.0), (31.0, -57.0, 12.0), tuple(direction.ravel()))


def made_up(geometry: Geometry = STRAIGHT, **changes) -> PictureCase:
    """A bright box of two halves on a darker ground, with blocks of US, DC and DS in and by it."""
    segmentation = np.zeros(SHAPE, np.uint8)
    segmentation[6:18, 8:24, 8:18] = 1
    segmentation[6:18, 8:24, 18:28] = 2
    noise = np.random.default_rng(0).normal(0, 1.0, SHAPE)
    image = (np.where(segmentation > 0, 160.0, 80.0) + noise).astype(np.float32)
    regions = np.full(SHAPE, UC.value, np.uint8)
    regions[9:15, 11:17, 20:26] = DC.value
    regions[9:15, 11:15, 10:14] = DS.value
    regions[9:15, 18:22, 10:16] = US.value
    fields = {"image": image, "segmentation": segmentation, "regions": regions, "place": PLACE}
    return PictureCase(**{**fields, "geometry": geometry, "labels": [LEFT, RIGHT], **changes})


@pytest.fixture(scope="module")
def painter() -> CasePainter:
    return CasePainter(SIZE)


class Panel:
    """One slice panel of a painted picture, addressed by voxels."""

    def __init__(self, canvas, shown, name: str, case: PictureCase):
        left, top = panelCorners(SIZE)[name]
        self.pixels = canvas.pixels[top : top + SIZE, left : left + SIZE]
        view = shown["views"][name]
        self.center, self.right, self.up = (np.array(view[key]) for key in ("center", "right", "up"))
        self.side, self.toRas = view["side_mm"], case.geometry.ijk_to_ras

    def rowColumn(self, index_zyx) -> tuple[int, int]:
        ras = (self.toRas @ [*index_zyx[::-1], 1.0])[:3] - self.center
        x, y = ras @ self.right / self.side + 0.5, ras @ self.up / self.side + 0.5
        return round((1 - y) * SIZE), round(x * SIZE)

    def color(self, index_zyx) -> np.ndarray:
        """The mean colour of the pixels round a voxel's centre."""
        row, column = self.rowColumn(index_zyx)
        return self.pixels[row - 1 : row + 2, column - 1 : column + 2].mean(axis=(0, 1))

    def near(self, color, tolerance=0.12) -> np.ndarray:
        return np.abs(self.pixels - np.array(color)).max(axis=-1) < tolerance


def painted(painter, case):
    canvas, shown = painter.paint(case)
    return canvas, shown, {name: Panel(canvas, shown, name, case) for name in ("Axial", "Coronal", "Sagittal")}


def over(grey: float, region) -> np.ndarray:
    return grey + region.opacity * (np.array(region.rgb) - grey)


@pytest.mark.parametrize("geometry", [STRAIGHT, oblique()], ids=["straight", "oblique"])
def test_voxels_lie_in_ras_where_their_header_says_in_lps(geometry):
    header = geometry.apply(sitk.Image(geometry.size_xyz, sitk.sitkUInt8))
    x, y, z = header.TransformIndexToPhysicalPoint((3, 5, 7))
    np.testing.assert_allclose(geometry.ijk_to_ras @ [3, 5, 7, 1], [-x, -y, z, 1], atol=1e-9)


def test_the_views_are_those_of_radiology(painter):
    _, shown = painter.paint(made_up())
    axes = {name: (view["right"], view["up"]) for name, view in shown["views"].items()}
    assert axes["Axial"] == ([-1, 0, 0], [0, 1, 0]), "the patient's right is on the left, seen from the feet"
    assert axes["Coronal"] == ([-1, 0, 0], [0, 0, 1]) and axes["Sagittal"] == ([0, -1, 0], [0, 0, 1])


@pytest.mark.parametrize("geometry", [STRAIGHT, oblique()], ids=["straight", "oblique"])
def test_region_colours_lie_on_their_voxels(painter, geometry):
    case = made_up(geometry)
    _, shown, panels = painted(painter, case)
    axial = panels["Axial"]
    z = round(float(np.linalg.solve(axial.toRas, [*shown["cross"], 1.0])[2]))
    assert 9 <= z < 15
    bright = axial.color((z, 18, 24))
    assert np.ptp(bright) < 0.02, "where both networks agree and are sure, the image is plain grey"
    for region, y, x in ((DC, 12.5, 24.0), (DS, 13.0, 12.0), (US, 20.0, 13.0)):
        np.testing.assert_allclose(axial.color((z, y, x)), over(bright.mean(), region), atol=0.05)
    for y, x in ((9.5, 23.0), (18.0, 23.0), (16.0, 12.0)):  # just outside the three blocks
        assert np.ptp(axial.color((z, y, x))) < 0.02


@pytest.mark.parametrize("geometry", [STRAIGHT, oblique()], ids=["straight", "oblique"])
@pytest.mark.parametrize("name", ["Axial", "Coronal", "Sagittal"])
def test_outlines_follow_the_structures_edges(painter, geometry, name):
    case = made_up(geometry, regions=np.full(SHAPE, UC.value, np.uint8))
    _, _, panels = painted(painter, case)
    panel = panels[name]
    toIndex = np.linalg.inv(panel.toRas)
    drawn = [label for label in (LEFT, RIGHT) if panel.near(rgb(label)).sum() > SIZE // 4]
    assert len(drawn) == (1 if name == "Sagittal" else 2)
    for label in drawn:
        rows, columns = np.nonzero(panel.near(rgb(label)))
        shares = np.stack([columns + 0.5, SIZE - rows - 0.5], axis=1) / SIZE - 0.5
        ras = panel.center + panel.side * (shares[:, :1] * panel.right + shares[:, 1:] * panel.up)
        index = (np.c_[ras, np.ones(len(ras))] @ toIndex.T)[:, :3][:, ::-1]
        low, high = np.argwhere(case.segmentation == label.value)[[0, -1]]
        outside = np.maximum(low - 0.5 - index, index - high - 0.5).max(axis=1)
        assert np.abs(outside).max() < 0.8, "no outline pixel lies off the structure's surface"


def rgb(label: LabelDefinition) -> np.ndarray:
    return np.array([int(label.color[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0


def test_an_oblique_volume_is_shown_in_its_own_planes_with_the_brightness_under_the_outline(painter):
    case = made_up(oblique(), regions=np.full(SHAPE, UC.value, np.uint8), place=None)
    _, shown, panels = painted(painter, case)
    index = np.linalg.solve(case.geometry.ijk_to_ras, [*shown["cross"], 1.0])[:3]
    assert np.abs(index - (17.5, 15.5, 11.5)).max() < 6, "without a place the middle of the structures"
    axial = panels["Axial"]
    directions = np.diag([-1.0, -1.0, 1.0]) @ np.array(case.geometry.direction).reshape(3, 3)
    assert max(np.abs(directions.T @ axial.right)) == pytest.approx(1.0, abs=1e-3)
    z = round(float(np.linalg.solve(axial.toRas, [*shown["cross"], 1.0])[2]))
    inside = [axial.color((z, y, x)).mean() for y, x in ((9.5, 9.5), (9.5, 26), (22, 9.5), (22, 26))]
    outside = [axial.color((z, y, x)).mean() for y, x in ((5.5, 18), (26, 18), (16, 5.5), (16, 30))]
    assert min(inside) > 0.8 and max(outside) < 0.2


def test_the_pointers_point_at_the_place(painter):
    case = made_up()
    _, shown, panels = painted(painter, case)
    index = np.linalg.solve(case.geometry.ijk_to_ras, [*shown["cross"], 1.0])[:3][::-1]
    for panel in panels.values():
        row, column = panel.rowColumn(index)
        reach = round(SIZE * 0.067)
        for y, x in ((row, column - reach), (row, column + reach), (row - reach, column), (row + reach, column)):
            assert panel.pixels[y - 1 : y + 2, x - 1 : x + 2].max() > 0.95
        assert panel.color(index)[2] > panel.color(index)[0] + 0.2, "the place itself stays free: it is DC"


@pytest.mark.parametrize("corner", [(0, 0, 0), (SHAPE[2] - 1, SHAPE[1] - 1, SHAPE[0] - 1)])
def test_the_pointers_at_a_place_by_the_edge_stay_in_their_own_panel(painter, corner):
    middle, edge = (painter.paint(made_up(place=each))[0].pixels for each in (PLACE, corner))
    right, below = panelCorners(SIZE)["3D"][0], panelCorners(SIZE)["Coronal"][1]
    outside = np.ones(edge.shape[:2], bool)
    for left, top in panelCorners(SIZE).values():
        outside[top : top + SIZE, left : left + SIZE] = False
    assert right > SIZE and outside[:, SIZE:right].all() and below > SIZE and outside[SIZE:below].all()
    np.testing.assert_array_equal(edge[outside], middle[outside])


def test_the_3d_panel_shows_both_structures_and_the_uncertainty_in_their_colours(painter):
    canvas, _, _ = painted(painter, made_up())
    left, top = panelCorners(SIZE)["3D"]
    panel = canvas.pixels[top : top + SIZE, left : left + SIZE]
    red, green, blue = np.moveaxis(panel, -1, 0)
    pink = (red > green + 0.08) & (blue > green + 0.04)
    sky = (blue > green + 0.05) & (green > red + 0.08)
    assert pink.mean() > 0.03 and sky.mean() > 0.03
    assert 0.2 < (pink | sky).mean() < 0.9, "the structures fill the panel, the ground stays dark"
    plain, _, _ = painted(painter, made_up(regions=np.full(SHAPE, UC.value, np.uint8)))
    assert np.abs(panel - plain.pixels[top : top + SIZE, left : left + SIZE]).max() > 0.15


def test_structures_alone_are_outlined_not_filled(painter):
    _, shown, panels = painted(painter, made_up(regions=np.full(SHAPE, UC.value, np.uint8)))
    coloured = np.ptp(panels["Axial"].pixels, axis=-1) > 0.1
    assert 0.005 < coloured.mean() < 0.12


def test_the_window_comes_from_the_structures_surroundings_not_from_far_outliers(painter):
    case = made_up()
    case.image[0, 0, 0] = 1e6
    _, shown = painter.paint(case)
    low, high = shown["window"]
    assert 70 < low < 85 and 155 < high < 170


@pytest.mark.parametrize(
    "case",
    [
        made_up(segmentation=np.zeros(SHAPE, np.uint8), regions=np.ones(SHAPE, np.uint8), place=None),
        made_up(segmentation=np.zeros(SHAPE, np.uint8), regions=np.zeros(SHAPE, np.uint8), place=None),
        made_up(labels=[]),
        made_up(labels=[LabelDefinition(1, "Ärztin – 日本 " * 12, "#CC79A7")], place=(0, 0, 0)),
        made_up(segmentation=np.ones(SHAPE, np.uint8), regions=np.full(SHAPE, DS.value, np.uint8)),
    ],
    ids=["nothing found", "nothing predicted", "unknown labels", "long name", "everything"],
)
def test_odd_cases_are_drawn_too(painter, case):
    canvas, _ = painter.paint(case)
    left, top = panelCorners(SIZE)["Axial"]
    assert canvas.pixels[top : top + SIZE, left : left + SIZE].std() > 0.01
    assert canvas.pixels.min() >= 0 and canvas.pixels.max() <= 1


def test_a_case_of_one_slice_is_drawn(painter):
    case = made_up()
    geometry = Geometry((36, 32, 1), (1.0, 1.0, 8.0), (0.0, 0.0, 0.0), STRAIGHT.direction)
    flat = {key: getattr(case, key)[12:13] for key in ("image", "segmentation", "regions")}
    single = made_up(geometry, place=(23, 14, 0), **flat)
    _, _, panels = painted(painter, single)
    np.testing.assert_allclose(panels["Axial"].color((0, 12.5, 24)), over(1.0, DC), atol=0.06)


def test_painting_leaves_no_nodes_behind(painter):
    painter.paint(made_up())
    before = painter._app.scene.GetNumberOfNodes()
    painter.paint(made_up(oblique()))
    assert painter._app.scene.GetNumberOfNodes() == before


def test_a_picture_does_not_depend_on_the_case_before_it(painter):
    first, _ = painter.paint(made_up())
    painter.paint(made_up(oblique(), labels=[]))
    again, _ = painter.paint(made_up())
    np.testing.assert_allclose(first.pixels, again.pixels, atol=2 / 255)


def test_there_is_one_region_colour_table_per_scene(painter):
    scene = painter._app.scene
    node = regionColorNode(scene)
    assert regionColorNode(scene) is node and node.GetName() == "MetaSSL regions"
    assert node.GetColorName(UC.value).startswith("UC") and node.GetColorName(DS.value).startswith("DS")
    color = [0.0] * 4
    node.GetColor(DC.value, color)
    np.testing.assert_allclose(color, [*DC.rgb, DC.opacity], atol=1 / 255)


def job(folder: Path, title: str, case: PictureCase) -> dict:
    paths = {}
    for key in ("image", "segmentation", "regions"):
        paths[key] = str(folder / f"{title} {key}.nrrd")
        write_array(Path(paths[key]), getattr(case, key), case.geometry)
    labels = [{"value": label.value, "name": label.name, "color": label.color} for label in case.labels]
    return {**paths, "place": case.place, "out": str(folder / f"{title}.png"), "title": title, "labels": labels}


def run(folder: Path, pictures: list[dict]) -> tuple[int, list[dict], str]:
    listed = folder / "jobs.json"
    listed.write_text(json.dumps({"pictures": pictures, "size": SIZE}), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "MetaSSLPictures", str(listed)],
        env={**os.environ, "PYTHONPATH": str(MODULE)},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_the_command_draws_what_it_can_and_names_what_it_cannot(tmp_path):
    good = job(tmp_path, "good", made_up(oblique()))
    lost = {**job(tmp_path, "lost", made_up()), "regions": str(tmp_path / "nowhere.nrrd")}
    moved = {**job(tmp_path, "moved", made_up()), "segmentation": good["segmentation"]}
    outside = {**job(tmp_path, "outside", made_up()), "place": [36, 0, 0]}
    code, lines, errors = run(tmp_path, [lost, good, moved, outside])
    assert code == 1
    assert [line["title"] for line in lines] == ["lost", "good", "moved", "outside"]
    assert [line["ok"] for line in lines] == [False, True, False, False]
    np.testing.assert_allclose(lines[1]["cross"], (oblique().ijk_to_ras @ [23, 14, 12, 1])[:3], atol=1e-3)
    assert "case outside" in lines[3]["error"] and "place" in lines[3]["error"]
    assert "case lost" in lines[0]["error"] and "nowhere.nrrd" in lines[0]["error"]
    assert "case moved" in lines[2]["error"] and "grid" in lines[2]["error"]
    assert Path(good["out"]).read_bytes().startswith(b"\x89PNG") and not Path(lost["out"]).exists()
    assert errors.count("\n") == 3 and "Traceback" not in errors


def test_the_command_succeeds_quietly(tmp_path):
    code, lines, errors = run(tmp_path, [job(tmp_path, "a", made_up())])
    assert (code, errors, len(lines)) == (0, "", 1)


def test_the_command_without_a_readable_list_says_so(tmp_path):
    (tmp_path / "jobs.json").write_text("[", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "MetaSSLPictures", str(tmp_path / "jobs.json")],
        env={**os.environ, "PYTHONPATH": str(MODULE)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "jobs.json" in done.stderr and "Traceback" not in done.stderr
