"""The volumes that are loaded in Slicer, as cases of a new project. DICOM comes in this way, and stays DICOM."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
from metassl.files import ImageError, ProjectError
from metassl.imaging import Geometry, read_geometry, read_volume, write_array
from metassl.imaging.dicom import series_of
from metassl.project import Case, Project, make_case_id

from ...Translation import _

_CLASS = "vtkMRMLScalarVolumeNode"
_OURS = "MetaSSL"
_SUFFIXES = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd")
_RIGHT_ANGLE = 1e-3


@dataclass(frozen=True)
class SceneVolume:
    """A volume that can become a case. `nodeId` is its MRML id, `caseId` the id that the case will get."""

    nodeId: str
    name: str
    caseId: str


@dataclass(frozen=True)
class VolumeCase:
    """All that a thread needs to make a case of a volume: it may not touch MRML.

    `file` is the volume's own file, if it lies in one and was not changed since. `series`: a file of the DICOM series
    that it was loaded from, if it was. `owner` keeps the array's memory.
    """

    caseId: str
    array: np.ndarray
    geometry: Geometry
    file: Path | None
    owner: Any = None
    series: Path | None = None

    def imagePath(self, folder: Path) -> Path:
        """The image of the case: the volume's own file or series, or a new file in `folder`. Raises ProjectError."""
        if self.file is not None and self._fileIsAsShown():
            return self.file
        if self.series is not None and self._seriesIsAsShown():
            return self._seriesAlone()
        path = folder / f"{self.caseId}.nrrd"
        folder.mkdir(parents=True, exist_ok=True)
        write_array(path, self.array, self.geometry)
        return path

    def _fileIsAsShown(self) -> bool:
        try:
            return not read_geometry(self.file, self.caseId).difference(self.geometry)
        except ImageError:
            return False

    def _seriesIsAsShown(self) -> bool:
        """Slicer may have loaded a part of the series, or resampled it, and somebody may have changed the volume."""
        try:
            channels, geometry = read_volume(self.series, self.caseId)
        except ImageError:
            return False
        if len(channels) != 1 or geometry.difference(self.geometry):
            return False
        return bool(np.allclose(channels[0], self.array, rtol=1e-6, atol=1e-6))

    def _seriesAlone(self) -> Path:
        """Its folder, or the file where the folder holds others, too."""
        try:
            series_of(self.series.parent)
        except ValueError:
            return self.series
        return self.series.parent


def fileInDatabase(instance: str) -> str:
    """Where Slicer's DICOM database has that instance; "" where it is not there."""
    database = getattr(slicer, "dicomDatabase", None)
    return database.fileForInstance(instance) if database is not None and database.isOpen else ""


class SceneVolumes:
    """Finds the volumes in a scene. `temporary`: folders whose files do not last, so that they are copied. `fileOf`: as
    `fileInDatabase`."""

    def __init__(
        self, scene, temporary: tuple[Path, ...] | None = None, fileOf: Callable[[str], str] = fileInDatabase
    ) -> None:
        self._scene, self._fileOf = scene, fileOf
        self._temporary = _temporaryFolders(scene) if temporary is None else temporary

    def candidates(self) -> list[SceneVolume]:
        """The scalar volumes with an image, in the order of the scene; no label maps, none of our own."""
        found, taken = [], set()
        for index in range(self._scene.GetNumberOfNodesByClass(_CLASS)):
            node = self._scene.GetNthNodeByClass(index, _CLASS)
            exact = node.GetClassName() == _CLASS
            if not exact or node.GetHideFromEditors() or node.GetAttribute(_OURS) or not _hasVoxels(node):
                continue
            caseId = _freeId(node.GetName() or "", taken)
            taken.add(caseId.casefold())
            found.append(SceneVolume(node.GetID(), node.GetName(), caseId))
        return found

    def prepare(self, volumes: list[SceneVolume]) -> list[VolumeCase]:
        """Look at the nodes, without copying a voxel. ProjectError names a volume that cannot be used as it is."""
        return [self._prepared(volume) for volume in volumes]

    def _prepared(self, volume: SceneVolume) -> VolumeCase:
        node = self._scene.GetNodeByID(volume.nodeId)
        if node is None or not _hasVoxels(node):
            raise ProjectError(_("The volume {name} is not loaded any more: choose again.").format(name=volume.name))
        _refuseTransform(node)
        image = node.GetImageData()
        array = slicer.util.arrayFromVolume(node)
        return VolumeCase(volume.caseId, array, geometryOf(node), self._ownFile(node), image, self._ownSeries(node))

    def _ownFile(self, node) -> Path | None:
        storage = node.GetStorageNode()
        if storage is None or node.GetModifiedSinceRead() or storage.GetNumberOfFileNames() > 1:
            return None
        name = storage.GetFullNameFromFileName()
        if not name or not name.lower().endswith(_SUFFIXES):
            return None
        return self._lasting(Path(name))

    def _ownSeries(self, node) -> Path | None:
        """Slicer's DICOM module writes on a node which instances it was made of; their files, its database knows."""
        instances = (node.GetAttribute("DICOM.instanceUIDs") or "").split()
        name = self._fileOf(instances[0]) if instances else ""
        return self._lasting(Path(name)) if name else None

    def _lasting(self, path: Path) -> Path | None:
        if not path.is_file() or any(path.resolve().is_relative_to(folder) for folder in self._temporary):
            return None
        return path


def createFromVolumes(
    path: Path, name: str, labels: list, volumes: list[VolumeCase], model: Any = None
) -> tuple[Project, list[str]]:
    """Make a project of prepared volumes, for a thread; returns it and a list of warnings. model: a `StartModel`.

    Raises ProjectError or LabelError.
    """
    warnings: list[str] = []
    if model is not None:
        labels = model.definitions(labels)
        warnings = [*model.told, *model.check_channels(["image"])]
    with Project.making(path, name, labels, ["image"]) as project:
        images = project.path / "images"
        project.add_cases(Case(volume.caseId, [str(volume.imagePath(images))]) for volume in volumes)
        if model is not None:
            model.begin(project)
    return project, warnings


def geometryOf(node) -> Geometry:
    """The grid of a volume node, in LPS. ProjectError when its axes are not at right angles."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    toLps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ slicer.util.arrayFromVTKMatrix(matrix)
    spacing = np.linalg.norm(toLps[:3, :3], axis=0)
    direction = toLps[:3, :3] / spacing
    if np.abs(direction.T @ direction - np.eye(3)).max() > _RIGHT_ANGLE:
        text = _("The axes of {name} are not at right angles: resample it (module Resample Scalar Volume) first.")
        raise ProjectError(text.format(name=node.GetName()))
    size = tuple(int(n) for n in node.GetImageData().GetDimensions())
    origin = tuple(float(n) for n in toLps[:3, 3])
    return Geometry(size, tuple(spacing.tolist()), origin, tuple(direction.ravel().tolist()))


def _refuseTransform(node) -> None:
    transform = node.GetParentTransformNode()
    if transform is None:
        return
    if transform.IsTransformToWorldLinear():
        matrix = vtk.vtkMatrix4x4()
        transform.GetMatrixTransformToWorld(matrix)
        if np.allclose(slicer.util.arrayFromVTKMatrix(matrix), np.eye(4), atol=1e-6):
            return
    text = _(
        "{name} is moved by the transform {transform}. Harden it first (in the module Data, right-click the volume's "
        "transform, Harden transform), or take the volume off the list."
    )
    raise ProjectError(text.format(name=node.GetName(), transform=transform.GetName()))


def _hasVoxels(node) -> bool:
    image = node.GetImageData()
    return image is not None and image.GetPointData().GetScalars() is not None and image.GetNumberOfPoints() > 0


def _freeId(name: str, taken: set[str]) -> str:
    try:
        first = make_case_id(name)
    except ProjectError:
        first = "case"
    caseId, number = first, 1
    while caseId.casefold() in taken:
        number += 1
        caseId = f"{first}_{number}"
    return caseId


def _temporaryFolders(scene) -> tuple[Path, ...]:
    folders = [Path(tempfile.gettempdir()).resolve()]
    cache = scene.GetCacheManager()
    if cache is not None and cache.GetRemoteCacheDirectory():
        folders.append(Path(cache.GetRemoteCacheDirectory()).resolve())
    return tuple(folders)
