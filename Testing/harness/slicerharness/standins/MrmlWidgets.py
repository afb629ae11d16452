"""qMRMLWidget and the plain widgets that derive from it."""

from __future__ import annotations

from PySide6 import QtWidgets

from .Base import standIn
from .CtkCollapsible import ctkCollapsibleButton
from .CtkNumbers import ctkDoubleSpinBox, ctkSliderWidget


class _HoldsScene:
    _isStandIn = True
    _scene = None

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        if scene is not self._scene:
            self._scene = scene
            self._onScene()
            if "mrmlSceneChanged(vtkMRMLScene*)" in self._signals:
                self._emit("mrmlSceneChanged(vtkMRMLScene*)", scene)

    def _onScene(self):
        """Another scene was set."""


class qMRMLWidget(_HoldsScene, standIn("slicer.qMRMLWidget", QtWidgets.QWidget)):
    """A widget that passes its scene on."""

    _isStandIn = True


class qSlicerWidget(_HoldsScene, standIn("slicer.qSlicerWidget", QtWidgets.QWidget)):
    """A widget that passes its scene on."""

    _isStandIn = True


class qMRMLSliderWidget(_HoldsScene, standIn("slicer.qMRMLSliderWidget", ctkSliderWidget)):
    """A slider with units."""

    _isStandIn = True


class qMRMLSpinBox(_HoldsScene, standIn("slicer.qMRMLSpinBox", ctkDoubleSpinBox)):
    """A spin box with units."""

    _isStandIn = True


class qMRMLCollapsibleButton(_HoldsScene, standIn("slicer.qMRMLCollapsibleButton", ctkCollapsibleButton)):
    """A section that passes its scene on."""

    _isStandIn = True
