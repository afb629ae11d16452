"""What of Slicer the logic needs, in one place, so that tests can hand in the core's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SlicerServices:
    """The MRML scene, the application's MRML logic, and the logic of the Segmentations module."""

    scene: Any
    applicationLogic: Any
    segmentationsLogic: Any

    @staticmethod
    def ofThisSlicer() -> SlicerServices:
        import slicer

        return SlicerServices(slicer.mrmlScene, slicer.app.applicationLogic(), slicer.modules.segmentations.logic())

    def pauseRender(self) -> None:
        """No view draws anything, until as many calls of `resumeRender`."""
        import slicer

        slicer.app.pauseRender()

    def resumeRender(self) -> None:
        """The views draw again, at once if they have to."""
        import slicer

        slicer.app.resumeRender()


def nodesOfClass(scene, className: str) -> list:
    """All nodes of a class, in the order of the scene."""
    return [scene.GetNthNodeByClass(i, className) for i in range(scene.GetNumberOfNodesByClass(className))]
