"""Draws a case: three slices through its first uncertain place, and its structures in 3-D."""

from __future__ import annotations

from typing import Any

import numpy as np
from metassl.project.masks import bounding_box as boundingBox
from metassl.project.places.search import deepest
from metassl.project.regions import UC, rgb_of
from vtk.util.numpy_support import vtk_to_numpy

from .Framing import corners, frameFor, viewpointFor
from .OffscreenSlicer import OffscreenSlicer
from .PictureCanvas import PictureCanvas
from .PictureCase import PictureCase
from .PictureLayout import SliceShot, composePicture
from .PictureScene import SURFACE, PictureScene

_SUPERSAMPLING = 2  # views are drawn this much larger, then shrunk: smooth lines, no jagged edges
_PERCENTILES = (1.0, 99.5)
_WINDOW_MARGIN = 4  # voxels round the target whose brightness sets the window
_OUTLINE_PIXELS = 2.2
_SKY = (rgb_of("#14171C"), rgb_of("#2B323D"))
_STRUCTURE_OPACITY = 0.5
_BLOB_OPACITY = 0.85


class CasePainter:
    """Paints one case after the other with one offscreen Slicer. `size`: pixels of one view."""

    def __init__(self, size: int = 480):
        self._size = size
        self._app = OffscreenSlicer(size * _SUPERSAMPLING)
        view = self._app.threeDView.node
        view.SetBoxVisible(False)
        view.SetAxisLabelsVisible(False)
        view.SetBackgroundColor(_SKY[0])
        view.SetBackgroundColor2(_SKY[1])
        view.SetUseDepthPeeling(True)
        view.SetOrientationMarkerType(view.OrientationMarkerTypeCube)
        view.SetOrientationMarkerSize(view.OrientationMarkerSizeSmall)

    def paint(self, case: PictureCase) -> tuple[PictureCanvas, dict[str, Any]]:
        """The picture of a case, and what can be read off it: where the cross is, the window, and
        for each slice its centre in RAS, the length of its side in mm, and its axes."""
        cross = _cross(case)
        toRas = case.geometry.ijk_to_ras
        crossRas = (toRas @ [*cross, 1.0])[:3]
        target = _target(case, cross)
        whole = corners((0, 0, 0), case.geometry.size_xyz, toRas)
        targetCorners = corners([s.start for s in reversed(target)], [s.stop for s in reversed(target)], toRas)
        scene = PictureScene(self._app, case)
        try:
            window = _window(case.image, target)
            scene.setWindow(*window)
            _style(scene)
            shots = [self._slice(name, scene, whole, targetCorners, crossRas) for name in self._app.sliceViews]
            surfaces = self._surfaces(scene, crossRas)
        finally:
            scene.remove()
        canvas = composePicture(shots, surfaces, self._size)
        shown = {
            "cross": _rounded(crossRas),
            "window": _rounded(window),
            "views": {shot.name: shot.description() for shot in shots},
        }
        return canvas, shown

    def _slice(self, name, scene, whole, target, crossRas) -> SliceShot:
        view = self._app.sliceViews[name]
        view.compositeNode.SetBackgroundVolumeID(scene.volumeNode.GetID())
        view.compositeNode.SetLabelVolumeID(scene.regionsNode.GetID())
        view.compositeNode.SetLabelOpacity(1.0)  # each region's own opacity is in its colour
        view.node.SetOrientation(view.orientation)
        view.node.RotateToVolumePlane(scene.volumeNode)
        axes = _axes(view.node)
        frame = frameFor(axes, whole, target, crossRas)
        view.node.SetFieldOfView(frame.side, frame.side, 1.0)
        view.node.JumpSliceByCentering(*frame.centerRas)
        cross = [0.5 + (crossRas - frame.centerRas) @ axis / frame.side for axis in axes[:2]]
        return SliceShot(view.orientation, _shrunk(view.grab()), frame, axes, tuple(cross))

    def _surfaces(self, scene: PictureScene, crossRas: np.ndarray) -> np.ndarray:
        view = self._app.threeDView
        points = [vtk_to_numpy(surface.GetPoints().GetData()) for surface in scene.surfaces()]
        if points:
            look = viewpointFor(np.concatenate(points), crossRas)
            camera = view.camera
            camera.ParallelProjectionOn()
            camera.SetFocalPoint(*look.focalRas)
            camera.SetPosition(*(look.focalRas + look.towardsEye * look.halfHeight * 6))
            camera.SetViewUp(*look.up)
            camera.SetParallelScale(look.halfHeight)
            view.renderer.ResetCameraClippingRange()
        return _shrunk(view.grab())


def _style(scene: PictureScene) -> None:
    """Outlines of the structures on slices; translucent structures with solid blobs in 3-D."""
    for node, pixels, opacity in (
        (scene.halosNode, _OUTLINE_PIXELS + 1.6, 0.6),
        (scene.outlinesNode, _OUTLINE_PIXELS, 1.0),
    ):
        display = node.GetDisplayNode()
        display.SetVisibility3D(False)
        display.SetVisibility2DFill(False)
        display.SetOpacity2DOutline(opacity)
        display.SetPreferredDisplayRepresentationName2D(SURFACE)
        display.SetSliceIntersectionThickness(round(pixels * _SUPERSAMPLING))
    for node, opacity in (
        (scene.structuresNode, _STRUCTURE_OPACITY),
        (scene.blobsNode, _BLOB_OPACITY),
    ):
        display = node.GetDisplayNode()
        display.SetVisibility2D(False)
        display.SetPreferredDisplayRepresentationName3D(SURFACE)
        display.SetOpacity3D(opacity)


def _cross(case: PictureCase) -> tuple[int, int, int]:
    """The voxel (x, y, z) that the slices go through: the place's, or the middle of the structures, or of the image."""
    if case.place is not None:
        return case.place
    structures = np.argwhere(case.segmentation > 0)
    if not len(structures):
        return tuple(n // 2 for n in case.geometry.size_xyz)
    return tuple(int(i) for i in structures[deepest(structures, case.geometry)][::-1])


def _target(case: PictureCase, cross: tuple[int, int, int]) -> tuple[slice, ...]:
    """The box (z, y, x) worth seeing: the structures and the cross."""
    place = [(i, i + 1) for i in reversed(cross)]
    box = boundingBox(case.segmentation > 0)
    if box is None:
        box = boundingBox(case.regions > UC.value) or [slice(0, n) for n in case.image.shape]
    return tuple(slice(min(s.start, first), max(s.stop, last)) for s, (first, last) in zip(box, place))


def _window(image: np.ndarray, target: tuple[slice, ...]) -> tuple[float, float]:
    """The image values shown as black and as white."""
    near = tuple(slice(max(s.start - _WINDOW_MARGIN, 0), s.stop + _WINDOW_MARGIN) for s in target)
    low, high = np.percentile(image[near], _PERCENTILES)
    if high <= low:
        low, high = image.min(), image.max()
    return float(low), float(high)


def _axes(node) -> np.ndarray:
    """The unit vectors right, up and normal of a slice, as rows, in RAS."""
    matrix = node.GetSliceToRAS()
    axes = np.array([[matrix.GetElement(row, column) for row in range(3)] for column in range(3)])
    return axes / np.linalg.norm(axes, axis=1, keepdims=True)


def _shrunk(picture: np.ndarray) -> np.ndarray:
    n = _SUPERSAMPLING
    height, width = picture.shape[0] // n, picture.shape[1] // n
    blocks = picture[: height * n, : width * n].reshape(height, n, width, n, 3)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


def _rounded(numbers) -> list[float]:
    return [round(float(number), 3) for number in numbers]
