"""What a person does in the section "Project" of the panel, for the tests of its pages."""

from __future__ import annotations

from pathlib import Path

import slicer
import slicer.util
import vtk


def addVolume(name: str, make_case, make_grid, seed: int = 0):
    image, _labels = make_case(seed)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(make_grid(image.shape).ijk_to_ras.ravel())
    node.SetIJKToRASMatrix(matrix)
    slicer.util.updateVolumeFromArray(node, image)
    return node


def shown(section) -> str:
    """Which of the three pages is shown."""
    pages = {"closed": section.ui.closedWidget, "new": section.ui.newWidget, "open": section.ui.openWidget}
    (name,) = [name for name, page in pages.items() if page.isVisible()]
    return name


def chooseImages(section, harness, answers, folder: Path) -> None:
    answers.append(str(folder))
    section.newProject.ui.imagesBrowse.click()
    harness.wait(lambda: section.newProject.images.preview is not None)


def names(section) -> list[str]:
    return [label.name for label in section.newProject.labelTable.labels]
