"""The region map and the uncertainty over an image, in real slice views of Slicer's core; and their legend."""

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest
from metassl.imaging import write_array
from metassl.project import Project
from metassl.project.records import Summary

if importlib.util.find_spec("slicer") is None:
    pytest.skip("slicer-core is not installed: pip install 'metassl[report]'", allow_module_level=True)

import vtk
from metassl.project.regions import REGIONS
from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer
from MetaSSLSlicerLib.Logic.Case.Session import Session
from MetaSSLSlicerLib.Logic.Review import PredictionWords
from MetaSSLSlicerLib.Logic.Review.RegionDisplay import RegionDisplay
from MetaSSLSlicerLib.Logic.Scene.BackgroundTasks import BackgroundTasks
from predicting import PLACES, predict

OPACITY = {"UC": 0.35, "US": 0.35, "DC": 1.0, "DS": 1.0}


class Bench:
    """A session on the real scene with three views, two predicted cases, and the display under test."""

    def __init__(self, project: Project, geometry):
        self.app = OffscreenSlicer(160)
        self.tasks = BackgroundTasks()
        self.geometry = geometry
        self.cases = [case.id for case in project.unlabelled_cases()]
        for caseId in self.cases[:2]:
            predict(project, caseId, geometry)
        self.session = Session(self.app, self.tasks)
        self.messages = []
        self.session.said.connect(self.messages.append)
        self.display = RegionDisplay(self.app, self.tasks)
        self.session.caseOpened.connect(self.display.setCase)
        self.session.caseAboutToClose.connect(lambda case: self.display.setCase(None))
        self.session.openProject(project.path)

    def open(self, number: int = 0):
        self.session.openCase(self.cases[number])
        self.tasks.finish()
        assert self.session.case is not None, self.messages
        if self.session.case.nodes.predictionNode is not None:  # its outlines would cover the colours
            self.session.case.nodes.predictionNode.GetDisplayNode().SetVisibility(False)
        return self.session.case

    def colors(self, key: str) -> np.ndarray:
        """The mean colour round a region's place in each of the three views."""
        z, y, x = PLACES[key]
        ras = (self.geometry.ijk_to_ras @ [x, y, z, 1.0])[:3]
        found = []
        for view in self.app.sliceViews.values():
            view.node.JumpSliceByCentering(*ras)
            toXy = vtk.vtkMatrix4x4()
            vtk.vtkMatrix4x4.Invert(view.node.GetXYToRAS(), toXy)
            column, row, *_ = toXy.MultiplyPoint((*ras, 1.0))
            picture = view.grab().astype(float)
            row, column = round(picture.shape[0] - 1 - row), round(column)
            found.append(picture[row - 1 : row + 2, column - 1 : column + 2].mean(axis=(0, 1)))
        return np.array(found)

    def composites(self):
        return [view.compositeNode for view in self.app.sliceViews.values()]


@pytest.fixture
def bench(tiny_project, make_grid):
    made = Bench(tiny_project, make_grid())
    yield made
    made.session.shutdown()


def blended(gray: np.ndarray, key: str, opacity: float) -> np.ndarray:
    region = next(region for region in REGIONS if region.key == key)
    return gray + opacity * OPACITY[key] * (255 * np.array(region.rgb) - gray)


def test_each_region_has_its_colour_in_its_place_and_where_the_model_is_sure_the_image_stays(bench):
    bench.open()
    bench.display.setMode("none")
    gray = {key: bench.colors(key) for key in PLACES}
    assert all(np.ptp(color, axis=1).max() < 1 for color in gray.values()), "the image alone is grey"
    bench.display.setMode("regions")
    np.testing.assert_allclose(bench.colors("UC"), gray["UC"], atol=1)
    for key in ("US", "DC", "DS"):
        np.testing.assert_allclose(bench.colors(key), blended(gray[key], key, 0.5), atol=6, err_msg=key)


def test_toggling_a_region_changes_its_pixels_and_no_others(bench):
    bench.open()
    before = {key: bench.colors(key) for key in PLACES}
    bench.display.setRegionVisible("DC", False)
    assert np.ptp(bench.colors("DC"), axis=1).max() < 1
    for key in ("UC", "US", "DS"):
        np.testing.assert_array_equal(bench.colors(key), before[key])
    bench.display.setRegionVisible("DC", True)
    bench.display.setRegionVisible("UC", True)
    np.testing.assert_array_equal(bench.colors("DC"), before["DC"])
    np.testing.assert_allclose(bench.colors("UC"), blended(before["UC"], "UC", 0.5), atol=6)


def test_the_opacity_blends_between_the_image_and_the_colours(bench):
    bench.open()
    bench.display.setOpacity(0.0)
    gray = bench.colors("DS")
    assert np.ptp(gray, axis=1).max() < 1
    for opacity in (0.25, 0.75, 1.0):
        bench.display.setOpacity(opacity)
        np.testing.assert_allclose(bench.colors("DS"), blended(gray, "DS", opacity), atol=3)
    bench.display.setOpacity(7)
    assert bench.display.opacity == 1.0


def test_blinking_shows_the_bare_image_and_then_all_as_it_was(bench):
    case = bench.open()
    outlines = case.nodes.predictionNode.GetDisplayNode()
    outlines.SetVisibility(True)
    painted = bench.colors("DC")
    changes = []
    bench.display.changed.connect(lambda: changes.append(bench.display.isShown))
    bench.display.blink(False)
    bench.display.blink(False)
    assert np.ptp(bench.colors("DC"), axis=1).max() < 1 and not outlines.GetVisibility()
    bench.display.toggle()
    np.testing.assert_array_equal(bench.colors("DC"), painted)
    assert outlines.GetVisibility() and changes == [False, True]
    outlines.SetVisibility(False)
    bench.display.toggle()
    bench.display.toggle()
    assert not outlines.GetVisibility(), "outlines that the user had hidden stay hidden"


def test_the_uncertainty_is_read_when_it_is_asked_for(bench):
    case = bench.open()
    bench.display.setMode("none")
    gray = bench.colors("UC")
    bench.display.setOpacity(1.0)
    assert not case.nodes.heatNodes
    bench.display.setMode("uncertainty")
    bench.tasks.finish()
    sure, unsure = bench.colors("UC"), bench.colors("DS")
    assert np.abs(sure - unsure).max(axis=1).min() > 60
    np.testing.assert_allclose(bench.colors("US"), unsure, atol=2)
    np.testing.assert_allclose(sure, gray, atol=1, err_msg="the image is seen where the model is sure")
    assert all(composite.GetLabelVolumeID() is None for composite in bench.composites())
    bench.display.setMode("regions")
    assert all(composite.GetForegroundVolumeID() is None for composite in bench.composites())
    assert not bench.messages


def test_the_learnt_probability_of_error_is_shown_where_the_round_has_it_and_missing_elsewhere(bench):
    bench.display.setMode("errorProbability")
    bench.open(0)
    assert bench.display.isMissing and all(c.GetForegroundVolumeID() is None for c in bench.composites())
    bench.display.setMode("uncertainty")
    assert not bench.display.isMissing
    bench.session.closeCase()
    bench.display.setMode("errorProbability")
    array = np.zeros(tuple(reversed(bench.geometry.size_xyz)), np.float32)
    array[PLACES["DS"]] = 0.5
    _round, paths = bench.session.project.prediction(bench.cases[1])
    write_array(paths.error_probability, array, bench.geometry)
    case = bench.open(1)
    bench.tasks.finish()
    shown = case.nodes.heatNodes["errorProbability"]
    assert shown.GetName() == f"{case.id} P(error)" and not bench.display.isMissing
    assert all(composite.GetForegroundVolumeID() == shown.GetID() for composite in bench.composites())


def test_a_damaged_uncertainty_is_reported_and_the_regions_are_shown_again(bench):
    errors = []
    bench.display.failed.connect(errors.append)
    case = bench.open()
    case.data.prediction.paths.uncertainty.write_bytes(b"nothing")
    bench.display.setMode("uncertainty")
    bench.tasks.finish()
    assert "uncertainty" in str(errors[0]) and bench.display.mode == "regions"
    assert np.ptp(bench.colors("DC"), axis=1).min() > 20


def test_uncertainty_that_arrives_after_its_case_was_closed_is_dropped(bench):
    bench.open()
    bench.display.setMode("uncertainty")
    bench.session.closeCase()
    bench.tasks.finish()
    assert bench.app.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0


def test_how_it_looks_is_kept_from_case_to_case(bench):
    bench.open(0)
    bench.display.setRegionVisible("US", False)
    bench.display.setOpacity(0.8)
    bench.display.toggle()
    bench.open(1)
    assert bench.display.isShown, "a new case is never hidden"
    assert np.ptp(bench.colors("US"), axis=1).max() < 1
    assert all(composite.GetLabelOpacity() == pytest.approx(0.8) for composite in bench.composites())
    bench.open(2)
    assert not bench.session.case.hasPrediction
    assert np.ptp(bench.colors("DS"), axis=1).max() < 1


def test_the_uncertainty_gives_the_foreground_back_to_what_was_there(bench):
    case = bench.open()
    own = bench.app.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "the user's")
    for composite in bench.composites():
        composite.SetForegroundVolumeID(own.GetID())
        composite.SetForegroundOpacity(0.3)
    bench.display.setRegionVisible("US", False)
    assert all(composite.GetForegroundVolumeID() == own.GetID() for composite in bench.composites())
    bench.display.setMode("uncertainty")
    bench.tasks.finish()
    shown = case.nodes.heatNodes["uncertainty"].GetID()
    assert all(composite.GetForegroundVolumeID() == shown for composite in bench.composites())
    bench.session.closeCase()
    for composite in bench.composites():
        assert composite.GetForegroundVolumeID() == own.GetID()
        assert composite.GetForegroundOpacity() == pytest.approx(0.3) and composite.GetLabelOpacity() == 1.0
        assert composite.GetLabelVolumeID() is None


def test_the_next_case_comes_without_the_layers_of_the_one_before(bench):
    bench.open()
    for composite in bench.composites():
        composite.SetForegroundOpacity(0.3)
    bench.display.setMode("uncertainty")
    bench.tasks.finish()
    assert all(composite.GetForegroundOpacity() == bench.display.opacity for composite in bench.composites())
    bench.open(2)
    assert not bench.session.case.hasPrediction
    for composite in bench.composites():
        assert composite.GetForegroundVolumeID() is None and composite.GetLabelVolumeID() is None
        assert composite.GetForegroundOpacity() == pytest.approx(0.3)


def test_editing_that_begins_while_all_is_hidden_leaves_the_prediction_hidden(bench):
    case = bench.open()
    case.nodes.predictionNode.SetDisplayVisibility(True)
    bench.display.blink(False)
    case.startEditing()
    bench.display.blink(True)
    assert not case.nodes.predictionNode.GetDisplayVisibility() and case.nodes.annotationNode.GetDisplayVisibility()
    bench.display.blink(False)
    assert not case.nodes.annotationNode.GetDisplayVisibility()
    bench.display.blink(True)
    assert case.nodes.annotationNode.GetDisplayVisibility()


def test_without_a_case_settings_are_only_remembered(bench):
    bench.display.setMode("uncertainty")
    bench.display.setRegionVisible("US", False)
    bench.display.toggle()
    with pytest.raises(ValueError, match="rainbow"):
        bench.display.setMode("rainbow")
    assert all(composite.GetForegroundVolumeID() is None for composite in bench.composites())
    assert (bench.display.mode, bench.display.isShown, "US" in bench.display.visible) == ("uncertainty", False, False)


def test_the_legend_gives_volumes_and_measured_error_rates(make_grid):
    geometry = make_grid()
    near = {"UC": 20, "US": 10, "DC": 6, "DS": 4}
    summary = Summary(voxels={"UC": 1000, "US": 40, "DC": 32, "DS": 8}, band_voxels=near)
    prediction = SimpleNamespace(summary=summary, errorRates={"UC": 0.0004, "US": 0.0123, "DC": 0.5, "DS": None})
    rows = PredictionWords.legendRows(prediction, geometry)
    assert [row.key for row in rows] == ["UC", "US", "DC", "DS"]
    assert [row.color for row in rows] == [region.color for region in REGIONS]
    assert [row.ml for row in rows] == pytest.approx([3.125, 0.125, 0.1, 0.025])
    assert [row.mlText for row in rows] == ["3.12", "0.12", "0.10", "0.025"]
    assert [row.share for row in rows] == [0.5, 0.25, 0.15, 0.1]
    assert [row.errorText for row in rows] == ["below 0.1\u00a0%", "1.2\u00a0%", "50\u00a0%", "not yet measured"]


@pytest.mark.parametrize(
    ("key", "rate", "words"),
    [
        ("UC", None, "Trust it: agree, sure"),
        ("UC", 0.01, "Trust it: agree, sure"),
        ("UC", 0.08, "Glance: agree, sure"),
        ("UC", 0.4, "Look here: agree, sure"),
        ("US", None, "Glance: agree, unsure"),
        ("US", 0.02, "Trust it: agree, unsure"),
        ("DS", None, "Look here: differ, unsure"),
        ("DS", 0.2, "Glance: differ, unsure"),
    ],
)
def test_what_to_do_in_a_region_follows_how_often_the_model_was_wrong_there(key, rate, words):
    assert PredictionWords.regionTitle(key, rate) == words


def test_the_legend_without_a_prediction_has_names_only():
    rows = PredictionWords.legendRows(None, None)
    assert [row.title for row in rows] == [PredictionWords.regionTitle(region.key) for region in REGIONS]
    assert {(row.ml, row.share, row.errorText) for row in rows} == {(None, None, "not yet measured")}
    assert PredictionWords.millilitres(12345.6) == "12,346"
