"""The real Slicer core without its windows: a MRML scene, logics, and views drawn in memory.

It needs the packages slicer-core and vtk from PyPI, no display and no Qt.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

SLICE_ORIENTATIONS = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}

_SLICE_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
)
_THREE_D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLOrientationMarkerDisplayableManager",
)


class OffscreenSlicer:
    """A scene with the logics that draw volumes and segmentations, three slice views and a 3-D one.

    `viewSize`: width and height of each view in pixels.
    """

    def __init__(self, viewSize: int = 480):
        _silenceLogs()
        self.scene = slicer.vtkMRMLScene()
        self.applicationLogic = slicer.vtkSlicerApplicationLogic()
        self.applicationLogic.SetMRMLScene(self.scene)
        self.applicationLogic.SetSliceLogics(vtk.vtkCollection())
        self.applicationLogic.SetViewLogics(vtk.vtkCollection())
        self.applicationLogic.GetColorLogic().SetMRMLScene(self.scene)
        # An empty segment gets its labelmap, and a segmentation its surface, through these.
        self.terminologiesLogic = self._addLogic("Terminologies")
        self.segmentationsLogic = self._addLogic("Segmentations")
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        self.sliceViews = {
            name: OffscreenSliceView(self, name, orientation, viewSize)
            for name, orientation in SLICE_ORIENTATIONS.items()
        }
        self.threeDView = OffscreenThreeDView(self, viewSize)

    def pauseRender(self) -> None:
        """Nothing to do: its views draw only when they are asked to."""

    resumeRender = pauseRender

    def _addLogic(self, name: str):
        logic = getattr(slicer, f"vtkSlicer{name}ModuleLogic")()
        logic.SetMRMLApplicationLogic(self.applicationLogic)
        logic.SetMRMLScene(self.scene)
        self.applicationLogic.SetModuleLogic(name, logic)
        return logic


class OffscreenSliceView:
    """A slice view: its slice logic's blend below, what displayable managers draw above."""

    def __init__(self, app: OffscreenSlicer, name: str, orientation: str, size: int):
        self.orientation = orientation
        self.window, self.renderer = _offscreenWindow(size)
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(app.applicationLogic)
        app.applicationLogic.GetSliceLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(app.scene)
        self.node = self.logic.AddSliceNode(name)
        self.node.SetDefaultOrientation(orientation)
        self.node.SetOrientationToDefault()
        self.node.SetMappedInLayout(1)
        self.logic.ResizeSliceNode(size, size)
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        self._managers = _displayableManagers(app, factory, _SLICE_MANAGERS, self.renderer)
        self._managers.SetMRMLDisplayableNode(self.node)
        # The blend's alpha drops where a colour table has translucent colours; drawn as it is, the
        # image would darken there a second time.
        self._opaque = vtk.vtkImageExtractComponents()
        self._opaque.SetComponents(0, 1, 2)
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._picture = vtk.vtkActor2D()
        self._picture.SetMapper(self._mapper)
        self._picture.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(self._picture)

    @property
    def compositeNode(self):
        """The node that says which volumes the view shows."""
        return self.logic.GetSliceCompositeNode()

    def grab(self) -> np.ndarray:
        """The view as it is now: uint8 (height, width, 3), the top row first."""
        self.node.Modified()  # displayable managers refresh lazily
        blend = self.logic.GetImageDataConnection()
        self._picture.SetVisibility(blend is not None)
        if blend is not None:
            self._opaque.SetInputConnection(blend)
            self._mapper.SetInputConnection(self._opaque.GetOutputPort())
        return _grab(self.window)


class OffscreenThreeDView:
    """A 3-D view."""

    def __init__(self, app: OffscreenSlicer, size: int):
        self.window, self.renderer = _offscreenWindow(size)
        self.logic = slicer.vtkMRMLViewLogic()
        self.logic.SetMRMLApplicationLogic(app.applicationLogic)
        app.applicationLogic.GetViewLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(app.scene)
        self.node = self.logic.AddViewNode("1")
        self.node.SetMappedInLayout(1)
        factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
        self._managers = _displayableManagers(app, factory, _THREE_D_MANAGERS, self.renderer)
        self._managers.SetMRMLDisplayableNode(self.node)

    @property
    def camera(self):
        """The VTK camera of the view."""
        return self.renderer.GetActiveCamera()

    def grab(self) -> np.ndarray:
        """The view as it is now: uint8 (height, width, 3), the top row first."""
        return _grab(self.window)


def _offscreenWindow(size: int):
    renderer = vtk.vtkRenderer()
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.ShowWindowOff()
    window.SetMultiSamples(0)
    window.SetSize(size, size)
    window.AddRenderer(renderer)
    interactor = vtk.vtkRenderWindowInteractor()
    interactor.SetRenderWindow(window)
    interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
    return window, renderer


def _displayableManagers(app: OffscreenSlicer, factory, names, renderer):
    factory.SetMRMLApplicationLogic(app.applicationLogic)
    for name in names:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    group = slicer.vtkMRMLDisplayableManagerGroup()
    group.SetRenderer(renderer)
    group.Initialize(factory, renderer)
    return group


def _grab(window) -> np.ndarray:
    window.Render()
    grabber = vtk.vtkWindowToImageFilter()
    grabber.SetInput(window)
    grabber.ReadFrontBufferOff()
    grabber.ShouldRerenderOff()
    grabber.Update()
    image = grabber.GetOutput()
    width, height, _ = image.GetDimensions()
    pixels = vtk_to_numpy(image.GetPointData().GetScalars())
    return pixels.reshape(height, width, -1)[::-1, :, :3].copy()


def _silenceLogs() -> None:
    """Keep the core's remarks (no terminology files, no X server) off the terminal."""
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
    vtk.vtkOutputWindow.SetInstance(vtk.vtkStringOutputWindow())
