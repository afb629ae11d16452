"""The files below a folder, listed once; no voxel is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from metassl.files.errors import ProjectError
from metassl.imaging import dicom
from metassl.imaging.images import IMAGE_SUFFIXES
from metassl.imaging.pictures import PICTURE_SUFFIXES

SEGMENTATION_SUFFIXES = (".seg.nrrd", ".seg.nhdr")
MANY_FOLDERS = 100_000
OTHER_KINDS = {
    (".hdr", ".img"): "convert them to NIfTI",
    (".mgz", ".mgh"): "convert them to NIfTI (FreeSurfer's mri_convert does)",
    (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar"): "unpack them",
    (".dcm", ".ima"): "they lack the mark of DICOM files; write them anew with a DICOM tool",
    (".npy", ".npz", ".h5", ".hdf5", ".mat"): "they have no grid; write them as NIfTI",
    (".gz",): "if they are NIfTI, name them .nii.gz",
    (".vti", ".vtk", ".mnc", ".par", ".rec", ".v", ".bruker"): "convert them to NIfTI",
}
"""What looks like images, by the ends of names, and what to do with it."""

_VOXELS_OF_OTHERS = (".raw", ".raw.gz", ".zraw")  # what a .mhd or .nhdr beside it leads to
_DESCRIPTIONS = {"dataset.json", "splits.json", "dataset_description.json", "datastore_v2.json", "datastore.json"}
PROJECT_FILES = ("project.json", "cases.json")
_DICOM_SUFFIXES = (".dcm", ".ima", ".dicom", "")


def stem(path: Path | str) -> str:
    """The file name without its image suffix."""
    name = PurePosixPath(path).name if isinstance(path, str) else path.name
    lower = name.lower()
    for suffix in (*SEGMENTATION_SUFFIXES, *IMAGE_SUFFIXES, *PICTURE_SUFFIXES, *_DICOM_SUFFIXES[:-1]):
        if lower.endswith(suffix):
            return name[: -len(suffix)]
    return name


@dataclass
class Tree:
    """`files`: relative paths by their folder ("" for the root itself), all sorted; hidden ones are left out.

    Links are followed, each folder once; `unlisted`: folders that were not listed, and why.
    """

    root: Path
    files: dict[str, list[str]] = field(default_factory=dict)
    unlisted: list[tuple[str, str]] = field(default_factory=list)
    tick: Callable[[], None] = lambda: None

    def path(self, name: str) -> Path:
        return self.root / name

    def has(self, name: str) -> bool:
        return name in self.files.get(str(PurePosixPath(name).parent).removeprefix("."), ())

    def all(self) -> Iterator[str]:
        for names in self.files.values():
            yield from names

    def images(self, folder: str | None = None) -> list[str]:
        """Files with voxels by their names: volumes where there are any below the root, pictures otherwise."""
        return [name for name in self._in(folder) if self.is_image(name)]

    def segmentations(self, folder: str | None = None) -> list[str]:
        return [name for name in self._in(folder) if name.lower().endswith(SEGMENTATION_SUFFIXES)]

    def below(self, folder: str) -> list[str]:
        """The folders with files at or below `folder`."""
        return [name for name in self.files if name == folder or not folder or name.startswith(folder + "/")]

    def is_image(self, name: str) -> bool:
        return is_volume(name) or (self.has_pictures_only and name.lower().endswith(PICTURE_SUFFIXES))

    @cached_property
    def has_pictures_only(self) -> bool:
        return not any(map(is_volume, self.all()))

    def dicom_folders(self) -> Iterator[str]:
        """The folders that hold a DICOM file; of each the files are looked into until one is found."""
        for folder, names in self.files.items():
            for name in names:
                self.tick()
                if can_be_dicom(name) and dicom.is_dicom_file(self.root / name):
                    yield folder
                    break

    def dicom_segmentations(self) -> list[str]:
        """The DICOM files that are a segmentation (SEG), each on its own."""
        files = ((name, self.root / name) for name in self.all() if can_be_dicom(name))
        return [name for name, path in files if dicom.is_dicom_file(path) and dicom.segmentation_in(path)]

    def _in(self, folder: str | None) -> Iterable[str]:
        return self.all() if folder is None else self.files.get(folder, ())


def is_volume(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(IMAGE_SUFFIXES) and not lower.endswith(SEGMENTATION_SUFFIXES)


def can_be_dicom(name: str) -> bool:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in _DICOM_SUFFIXES or suffix[1:].isdigit() or len(suffix) > 6


def reason_left(name: str) -> str:
    """Why a file that no case needs was left out, by its kind; "" where nobody would ask."""
    lower = name.lower()
    if is_volume(name) or lower.endswith((*SEGMENTATION_SUFFIXES, *PICTURE_SUFFIXES)):
        return "belongs to no case"
    if lower.endswith(_VOXELS_OF_OTHERS) or PurePosixPath(lower).name in _DESCRIPTIONS or lower.endswith("dseg.tsv"):
        return ""
    remedies = [remedy for suffixes, remedy in OTHER_KINDS.items() if lower.endswith(suffixes)]
    return f"of a kind that is not read: {remedies[0]}" if remedies else "no image"


def list_tree(folder: Path, tick: Callable[[], None] = lambda: None, besides: Path | None = None) -> Tree:
    """List `folder` and all below it. `tick` is called for each folder, and ends the search by what it raises.
    besides: a folder that is passed over.

    Raises ProjectError when the folder is missing or cannot be read.
    """
    tree = Tree(folder, tick=tick)
    seen = {_identity(folder)}
    passed = None if besides is None else _identity(besides)
    waiting = [""]
    while waiting:
        tick()
        here = waiting.pop()
        try:
            entries = sorted(os.scandir(folder / here), key=lambda entry: entry.name)
        except OSError as error:
            if here:
                tree.unlisted.append((here, f"cannot be read: {error.strerror or error}"))
                continue
            raise _refused(folder, error) from error
        names, below = [], []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            name = f"{here}/{entry.name}" if here else entry.name
            if not _is_folder(entry):
                names.append(name)
                continue
            identity = _identity(Path(entry.path))
            if identity == passed:
                continue
            if identity in seen:
                tree.unlisted.append((name, "leads to a folder that was listed already"))
                continue
            seen.add(identity)
            below.append(name)
        if here and {f"{here}/{name}" for name in PROJECT_FILES} <= set(names):
            tree.unlisted.append((here, "a project of MetaSSL"))
            continue
        if names:
            tree.files[here] = names
        waiting += reversed(below)
        if len(seen) > MANY_FOLDERS:
            raise ProjectError(f"{folder} holds more than {MANY_FOLDERS} folders: name the one with the images")
    return tree


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # such as a link to itself
        return False


def _identity(folder: Path) -> tuple[int, int] | str:
    try:
        found = os.stat(folder)
    except OSError:
        return str(folder)
    return (found.st_dev, found.st_ino) if found.st_ino else os.path.realpath(folder)


def _refused(folder: Path, error: OSError) -> ProjectError:
    if isinstance(error, FileNotFoundError):
        return ProjectError(f"there is no folder {folder}")
    if isinstance(error, NotADirectoryError):
        return ProjectError(f"{folder} is no image: give an image, a table of cases, or the folder with the images")
    return ProjectError(f"cannot read the folder {folder}: {error.strerror or error}")
