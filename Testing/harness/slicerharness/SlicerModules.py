"""slicer.modules: the logics of Slicer's own modules on the scene, and the modules that tests add."""

from __future__ import annotations

from pathlib import Path

import slicer

_LOGICS = {
    "volumes": "vtkSlicerVolumesLogic",
    "models": "vtkSlicerModelsLogic",
    "markups": "vtkSlicerMarkupsLogic",
    "subjecthierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "transforms": "vtkSlicerTransformLogic",
}


class Module:
    """One module."""

    def __init__(self, name: str, logic=None, path: str = ""):
        self.name, self.title, self.path = name, name, path
        self._logic, self._widget = logic, None

    def logic(self):
        """Its MRML logic."""
        return self._logic

    def widgetRepresentation(self):
        """Its panel, if a test made one."""
        return self._widget


class Modules:
    """`slicer.modules.NAME`."""

    def __init__(self, services):
        self.segmentations = Module("Segmentations", services.segmentationsLogic)
        self.terminologies = Module("Terminologies", services.terminologiesLogic)
        self.colors = Module("Colors", services.applicationLogic.GetColorLogic())
        for name, className in _LOGICS.items():
            setattr(self, name, Module(name.title(), _logic(services, name.title(), className)))

    def _register(self, path: str | Path) -> Module:
        module = Module(Path(path).stem, None, str(path))
        setattr(self, module.name.lower(), module)
        return module


def _logic(services, name: str, className: str):
    logic = getattr(slicer, className)()
    logic.SetMRMLApplicationLogic(services.applicationLogic)
    logic.SetMRMLScene(services.scene)
    services.applicationLogic.SetModuleLogic(name, logic)
    return logic
