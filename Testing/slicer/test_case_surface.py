"""Predictions as surfaces in a real 3-D view of Slicer's core: their place, volume and colours."""

import importlib.util
import time

import numpy as np
import pytest
from machine import slowness
from metassl.imaging import Geometry, write_array

if importlib.util.find_spec("slicer") is None:
    pytest.skip("slicer-core is not installed: pip install 'metassl[report]'", allow_module_level=True)

import slicer
import vtk
from metassl.project.regions import rgb_of
from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer
from MetaSSLSlicerLib.Logic.Case.CaseFiles import ERROR_PROBABILITY, UNCERTAINTY
from MetaSSLSlicerLib.Logic.Review.CaseSurface import CaseSurface
from MetaSSLSlicerLib.Logic.Review.SurfaceModel import SurfaceModel
from MetaSSLSlicerLib.Logic.Scene.OurNodes import ATTRIBUTE
from MetaSSLSlicerLib.Logic.Scene.SlicerServices import SlicerServices
from MetaSSLSlicerLib.Logic.Scene.SurfaceField import MOST_VOXELS, structureBoxes, surfaceField, valuesAt
from predicting import predict
from vtk.util.numpy_support import vtk_to_numpy

TURN = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
MIRRORED = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, -1.0)
SMALL = 40_000  # voxels


def gridOf(shape, spacing=(0.9, 1.1, 2.5), direction=TURN) -> Geometry:
    return Geometry(shape[::-1], spacing, (-31.0, 17.0, 52.0), direction)


def ellipsoid(geometry: Geometry, center=(0.5, 0.5, 0.5), radius=0.38) -> np.ndarray:
    """uint8 (z, y, x): 3 inside; `center` and `radius` as shares of the image's sides."""
    axes = np.meshgrid(*[(np.arange(n) + 0.5) / n for n in geometry.shape_zyx], indexing="ij")
    distance = sum((axis - middle) ** 2 for axis, middle in zip(axes, center, strict=True))
    return np.where(distance < radius**2, 3, 0).astype(np.uint8)


def rasOf(mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The corners of the voxels of a mask, in RAS."""
    voxels = np.argwhere(mask)[:, ::-1]
    ends = np.concatenate([voxels + np.array(corner) - 0.5 for corner in np.ndindex(2, 2, 2)])
    return ends @ geometry.ijk_to_ras[:3, :3].T + geometry.ijk_to_ras[:3, 3]


def volumeOf(mesh) -> float:
    """mm³; negative when the triangles look inwards."""
    points, triangles = vtk_to_numpy(mesh.GetPoints().GetData()), mesh.GetPolys().GetConnectivityArray()
    a, b, c = points[vtk_to_numpy(triangles).reshape(-1, 3)].astype(float).transpose(1, 0, 2)
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def isClosed(mesh) -> bool:
    edges = vtk.vtkFeatureEdges()
    edges.SetInputData(mesh)
    edges.FeatureEdgesOff()
    edges.NonManifoldEdgesOff()
    edges.ManifoldEdgesOff()
    edges.Update()
    return edges.GetOutput().GetNumberOfCells() == 0


@pytest.fixture
def modelOf(services):
    """modelOf(segmentation, geometry, most) -> the surface of the value 3 in the scene."""
    from metassl.project import LabelDefinition

    made = []

    def make(segmentation, geometry, most=MOST_VOXELS):
        box = structureBoxes(segmentation, [3])[3]
        field = surfaceField(segmentation, 3, box, geometry, most)
        made.append(SurfaceModel(services.scene, field, LabelDefinition(3, "Bean"), "bean"))
        return made[-1]

    yield make
    for model in made:
        model.remove()


@pytest.mark.parametrize("most", [MOST_VOXELS, SMALL])
@pytest.mark.parametrize("direction", [TURN, MIRRORED])
def test_a_surface_lies_where_the_voxels_do_on_a_tilted_grid(modelOf, direction, most):
    geometry = gridOf((36, 64, 72), direction=direction)
    segmentation = ellipsoid(geometry, center=(0.45, 0.5, 0.55))
    model = modelOf(segmentation, geometry, most)
    mesh, corners = model.node.GetMesh(), rasOf(segmentation == 3, geometry)
    low, high = np.array(mesh.GetBounds()).reshape(3, 2).T
    slack = 1.5 * np.max(np.array(geometry.spacing_xyz) * model.field.factors)
    assert np.abs(low - corners.min(axis=0)).max() < slack and np.abs(high - corners.max(axis=0)).max() < slack
    voxels = np.count_nonzero(segmentation) * geometry.voxel_ml * 1000
    assert volumeOf(mesh) == pytest.approx(voxels, rel=0.04), "and its triangles look outwards"
    assert isClosed(mesh)
    points, normals = (vtk_to_numpy(each) for each in (mesh.GetPoints().GetData(), mesh.GetPointData().GetNormals()))
    outwards = points - points.mean(axis=0)
    assert np.all((outwards * normals).sum(axis=1) > 0) and np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-3)


def test_the_distance_to_the_true_surface_is_less_than_a_voxel(modelOf):
    geometry = gridOf((40, 60, 60), spacing=(1.0, 1.0, 1.5))
    center, radius = geometry.ijk_to_ras @ [29.5, 29.5, 19.5, 1.0], 22.0
    z, y, x = np.indices(geometry.shape_zyx)
    ball = ((x - 29.5) ** 2 + (y - 29.5) ** 2 + ((z - 19.5) * 1.5) ** 2 < radius**2) * np.uint8(3)
    points = vtk_to_numpy(modelOf(ball, geometry).node.GetMesh().GetPoints().GetData())
    distances = np.linalg.norm(points - center[:3], axis=1) - radius
    assert np.abs(distances).max() < 1.0 and abs(distances.mean()) < 0.1


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 12, 12), (9, 1, 1)])
@pytest.mark.parametrize("most", [MOST_VOXELS, 2_000])
def test_thin_structures_do_not_vanish_and_stay_closed(modelOf, shape, most):
    geometry = gridOf((14, 30, 30), spacing=(0.6, 0.6, 4.0))
    segmentation = np.zeros(geometry.shape_zyx, np.uint8)
    segmentation[tuple(slice(0, length) for length in shape)] = 3  # in the corner of the image
    mesh = modelOf(segmentation, geometry, most).node.GetMesh()
    assert mesh.GetNumberOfCells() > 0 and isClosed(mesh) and volumeOf(mesh) > 0


def test_a_vertex_has_the_value_of_the_map_beside_it(modelOf):
    geometry = gridOf((36, 64, 72))
    segmentation = ellipsoid(geometry)
    for most in (MOST_VOXELS, SMALL):
        model = modelOf(segmentation, geometry, most)
        index = model.points * model.field.factors + model.field.corner + (np.array(model.field.factors) - 1) / 2
        ras = index @ geometry.ijk_to_ras[:3, :3].T + geometry.ijk_to_ras[:3, 3]
        assert np.allclose(ras, vtk_to_numpy(model.node.GetMesh().GetPoints().GetData()), atol=1e-3)
        slope = np.broadcast_to(np.linspace(0, 1, 72, dtype=np.float32), geometry.shape_zyx)
        values = valuesAt(slope, model.field, model.points, geometry)
        step = (model.field.factors[0] + 1) / 71
        assert np.all(values >= index[:, 0] / 71 - 1e-5) and np.all(values <= index[:, 0] / 71 + 1.5 * step)
        flat = np.full(geometry.shape_zyx, 0.25, np.float32)
        assert np.allclose(valuesAt(flat, model.field, model.points, geometry), 0.25)


def test_a_thin_uncertain_shell_just_outside_the_surface_is_not_missed(modelOf):
    geometry = gridOf((40, 60, 60), spacing=(1.0, 1.0, 1.0))
    segmentation = ellipsoid(geometry)
    near = np.zeros(geometry.shape_zyx, bool)
    near[:, :, 1:] |= segmentation[:, :, :-1] == 3
    shell = np.where(near & (segmentation == 0), 0.8, 0.0).astype(np.float32)  # one voxel, on the side of high x only
    model = modelOf(segmentation, geometry)
    values = valuesAt(shell, model.field, model.points, geometry)
    side = model.points[:, 0] > model.points[:, 0].mean()
    facing = np.abs(vtk_to_numpy(model.node.GetMesh().GetPointData().GetNormals()) @ _column(geometry, 0)) > 0.7
    assert values[side & facing].min() > 0.3 and np.median(values[side & facing]) > 0.6
    assert values[~side & facing].max() < 0.05


def _column(geometry: Geometry, axis: int) -> np.ndarray:
    column = geometry.ijk_to_ras[:3, axis]
    return column / np.linalg.norm(column)


class Bench:
    """A session with two predicted cases, and the surface under test."""

    def __init__(self, session, services, project, geometry):
        self.session, self.scene, self.tasks = session, services.scene, session.tasks
        self.surface = CaseSurface(services, session.tasks)
        self.failures = []
        self.surface.failed.connect(self.failures.append)
        self.cases = [case.id for case in project.unlabelled_cases()]
        self.segmentation = np.zeros(geometry.shape_zyx, np.uint8)
        self.segmentation[2:8, 1:10, 1:6], self.segmentation[2:8, 1:10, 6:11] = 1, 2
        for caseId in self.cases[:2]:
            predict(project, caseId, geometry, segmentation=self.segmentation)
        path = project.latest_round().prediction(self.cases[0]).error_probability
        write_array(path, np.full(geometry.shape_zyx, 0.4, np.float32), geometry)
        session.caseOpened.connect(self.surface.setCase)
        session.caseAboutToClose.connect(lambda case: self.surface.setCase(None))

    def open(self, number=0):
        self.session.openCase(self.cases[number])
        self.tasks.finish()
        assert self.session.case is not None, [message.text for message in self.session.messages]
        return self.session.case

    def nodes(self):
        found = [self.scene.GetNthNodeByClass(i, "vtkMRMLModelNode") for i in range(self._count("vtkMRMLModelNode"))]
        return [node for node in found if node.GetAttribute(ATTRIBUTE) == "surface"]

    def displays(self):
        return [node.GetDisplayNode() for node in self.nodes()]

    def _count(self, className):
        return self.scene.GetNumberOfNodesByClass(className)


@pytest.fixture
def bench(session, services, tiny_project, make_grid):
    return Bench(session, services, tiny_project, make_grid())


def test_the_structures_of_a_predicted_case_appear_in_3d_only_and_go_with_it(bench):
    names = ("vtkMRMLModelNode", "vtkMRMLModelDisplayNode", "vtkMRMLStorageNode")
    before = [bench.scene.GetNumberOfNodesByClass(name) for name in names]
    case = bench.open()
    labels = {label.value: label for label in case.project.labels}
    assert sorted(bench.surface.models) == [1, 2] and len(bench.nodes()) == 2
    for value, model in bench.surface.models.items():
        display = model.node.GetDisplayNode()
        assert np.allclose(display.GetColor(), rgb_of(labels[value].color)) and not display.GetScalarVisibility()
        assert display.GetVisibility3D() and not display.GetVisibility2D()
        assert not model.node.GetSaveWithScene() and not display.GetSaveWithScene()
        assert labels[value].name in model.node.GetName()
    bench.open(1)
    assert len(bench.nodes()) == 2 and all(bench.cases[1] in node.GetName() for node in bench.nodes())
    bench.session.closeCase()
    assert bench.nodes() == [] and bench.surface.models == {} and not bench.failures
    assert [bench.scene.GetNumberOfNodesByClass(name) for name in names] == before


def test_a_case_that_is_closed_while_its_surfaces_are_made_leaves_nothing(bench):
    bench.session.openCase(bench.cases[0])
    while bench.session.case is None or not bench.surface.models:
        bench.tasks.pump()
    bench.session.closeCase()
    bench.tasks.finish()
    assert bench.nodes() == []


def test_the_switch_colours_by_a_map_and_remembers_that_for_the_next_case(bench):
    bench.open(0)
    bench.surface.setMode(ERROR_PROBABILITY)
    bench.tasks.finish()
    for node in bench.nodes():
        display = node.GetDisplayNode()
        assert display.GetScalarVisibility() and display.GetActiveScalarName() == ERROR_PROBABILITY
        assert display.GetScalarRange() == (0.0, 1.0) and display.GetColorNode().GetName() == "MetaSSL heat"
        values = vtk_to_numpy(node.GetMesh().GetPointData().GetArray(ERROR_PROBABILITY))
        assert np.allclose(values, 0.4, atol=0.01)
    bench.open(1)  # its round has not learnt P(error)
    assert bench.surface.isMissing and not any(display.GetScalarVisibility() for display in bench.displays())
    bench.surface.setMode(UNCERTAINTY)
    bench.tasks.finish()
    assert not bench.surface.isMissing and all(display.GetScalarVisibility() for display in bench.displays())
    values = [vtk_to_numpy(node.GetMesh().GetPointData().GetArray(UNCERTAINTY)) for node in bench.nodes()]
    assert max(each.max() for each in values) == pytest.approx(0.9, abs=0.01)
    bench.surface.setMode("structures")
    assert not any(display.GetScalarVisibility() for display in bench.displays()) and not bench.failures


def test_what_is_switched_off_is_hidden_and_not_even_made(bench):
    bench.open()
    bench.surface.setMode("off")
    assert not any(display.GetVisibility() for display in bench.displays())
    bench.open(1)
    assert bench.nodes() == []
    bench.surface.setMode("structures")
    bench.tasks.finish()
    assert len(bench.nodes()) == 2 and all(display.GetVisibility() for display in bench.displays())


def test_it_stays_while_the_prediction_is_corrected_until_the_editor_shows_its_own(bench):
    case = bench.open()
    case.startEditing()
    assert all(display.GetVisibility() for display in bench.displays())
    annotation = case.nodes.annotationNode
    assert annotation.CreateClosedSurfaceRepresentation()
    annotation.GetDisplayNode().SetVisibility3D(True)
    assert not any(display.GetVisibility() for display in bench.displays())
    annotation.GetDisplayNode().SetVisibility3D(False)
    assert all(display.GetVisibility() for display in bench.displays())
    annotation.GetDisplayNode().SetVisibility3D(True)
    case.stopEditing()
    assert all(display.GetVisibility() for display in bench.displays())


def test_a_structure_that_the_user_has_hidden_stays_hidden_when_the_colours_change(bench):
    bench.open()
    bench.nodes()[0].SetDisplayVisibility(False)
    bench.surface.setMode(UNCERTAINTY)
    bench.tasks.finish()
    assert [bool(display.GetVisibility()) for display in bench.displays()] == [False, True]


def test_a_surface_that_the_user_has_deleted_is_no_trouble(bench):
    bench.open()
    bench.scene.RemoveNode(bench.nodes()[0])
    bench.surface.setMode(UNCERTAINTY)
    bench.tasks.finish()
    bench.surface.setMode("off")
    bench.session.closeCase()
    assert bench.nodes() == [] and not bench.failures


def test_the_structures_are_centred_and_fill_the_3d_view(bench):
    app = OffscreenSlicer(160)
    app.threeDView.node.SetBoxVisible(False)
    app.threeDView.node.SetAxisLabelsVisible(False)
    case = bench.open()
    CaseSurface(app, bench.tasks).setCase(case)
    bench.tasks.finish()
    corners = rasOf(bench.segmentation > 0, case.data.geometry)
    focus = app.threeDView.camera.GetFocalPoint()
    assert np.allclose(focus, (corners.min(axis=0) + corners.max(axis=0)) / 2, atol=1.0)
    picture = app.threeDView.grab().astype(float)
    shown = np.abs(picture - picture[:, :1]).max(axis=2) > 40
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    assert min(rows[0], columns[0]) > 0 and max(rows[-1], columns[-1]) < len(picture) - 1
    assert max(np.ptp(rows), np.ptp(columns)) > 0.5 * len(picture)


def test_without_3d_views_nothing_fails(bench, services):
    case = bench.open()
    bare = SlicerServices(slicer.vtkMRMLScene(), services.applicationLogic, services.segmentationsLogic)
    surface = CaseSurface(bare, bench.tasks)
    surface.setMode(UNCERTAINTY)
    surface.setCase(case)
    bench.tasks.finish()
    assert bare.scene.GetNumberOfNodesByClass("vtkMRMLModelNode") == 2
    surface.setCase(None)
    assert bare.scene.GetNumberOfNodesByClass("vtkMRMLModelNode") == 0


def test_a_large_case_is_made_in_steps_that_are_bounded(services):
    """512x512x300 with three organs and a sheet: what the GUI thread does at a time depends on the bound alone."""
    from metassl.project import LabelDefinition

    geometry = gridOf((300, 512, 512), spacing=(0.8, 0.8, 1.0))
    segmentation = np.zeros(geometry.shape_zyx, np.uint8)
    z, y, x = (np.arange(n) for n in geometry.shape_zyx)
    for value, (middle, radius) in enumerate([((150, 256, 170), 150), ((150, 256, 400), 100), ((60, 80, 80), 40)], 1):
        squares = (z - middle[0])[:, None, None] ** 2 + (y - middle[1])[:, None] ** 2 + (x - middle[2]) ** 2
        segmentation[squares < radius**2] = value
    segmentation[10:290, 480:483, 10:500] = 4
    boxes = structureBoxes(segmentation, [1, 2, 3, 4])
    steps = []
    for value, box in boxes.items():
        field = surfaceField(segmentation, value, box, geometry)
        assert field.array.size <= MOST_VOXELS
        begin = time.process_time()
        model = SurfaceModel(services.scene, field, LabelDefinition(value, f"Part {value}"), f"part {value}")
        steps.append(time.process_time() - begin)
        assert model.node.GetMesh().GetNumberOfCells() < 400_000
        voxels = np.count_nonzero(segmentation == value) * geometry.voxel_ml * 1000
        assert abs(volumeOf(model.node.GetMesh())) == pytest.approx(voxels, rel=0.02 if value < 4 else 0.4)
        model.remove()
    assert len(steps) == 4 and np.median(steps) < 0.25 * slowness(), steps  # 0.02 s where nothing else runs
    print("seconds of computing for each surface:", [f"{step:.3f}" for step in steps])
