"""What makes an annotation acceptable, and its version."""

from __future__ import annotations

import filecmp
import getpass
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from metassl.files.atomic import copy_file, make_folder, sha256_of
from metassl.files.errors import ChangedError, ImageError, LabelError, MetaSSLError
from metassl.imaging.annotations import read_annotation
from metassl.imaging.geometry import Geometry
from metassl.imaging.hashes import image_hashes, replaced_image
from metassl.imaging.images import IGNORE, read_geometry, read_labels
from metassl.imaging.segments import values_in
from metassl.imaging.writer import write_array

from .cases import Case, check_case_id
from .structures import LabelDefinition

ANY_VERSION = "any"
"""Stands for whatever label a case has, also for one that nobody has looked at."""

HISTORY = Path("labels", ".history")
"""Where all versions of the labels lie, in the project."""

_VERSION = re.compile(r"[0-9a-f]{16,64}")


def acceptable(
    source: Path | tuple[np.ndarray, Geometry],
    image: Path,
    case_id: str,
    labels: Sequence[LabelDefinition],
    names: Mapping[int | str, str] | str | None,
    allow_empty: bool,
) -> tuple[np.ndarray, Geometry, list[str]]:
    """The annotation (z, y, x), uint8, on the grid of `image`, and what should be told; see `Project.add_label`."""
    grid = read_geometry(image, case_id)
    notes: list[str] = []
    if isinstance(source, tuple):
        (array, geometry), where = source, f"case {case_id}: the annotation"
        if difference := geometry.difference(grid):
            raise LabelError(f"{where} is not on the grid of {image}: {difference}")
    else:
        read, where = read_annotation(Path(source), grid, labels, case_id, names, image), f"case {case_id}: {source}"
        array, notes = read.array, read.notes
    array = checked(array, grid, labels, where)
    refuse_empty(array, where, allow_empty)
    return array, grid, notes


def hashes_of_opened(case_id: str, images: Sequence[Path], drawn_on: Sequence[str]) -> list[str]:
    """The hashes of a case's images. ImageError when they are not those, `drawn_on`, of the images that were opened."""
    hashes = image_hashes(images, case_id)
    if replaced := replaced_image(images, hashes, drawn_on):
        raise ImageError(
            f"case {case_id}: {replaced} was replaced after the case was opened: open the case again, and look "
            "whether the annotation fits the new image"
        )
    return hashes


def login_name() -> str:
    """Who is logged in; "" where the system does not say."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user; ImportError before Python 3.13 on Windows
        return ""


def checked(array: np.ndarray, geometry: Geometry, labels: Sequence[LabelDefinition], where: str) -> np.ndarray:
    """The annotation as a contiguous uint8 array; LabelError naming values outside `labels`."""
    if array.shape != geometry.shape_zyx:
        raise LabelError(f"{where} has the shape {array.shape}, its grid {geometry.shape_zyx}")
    allowed = {0, IGNORE, *(label.value for label in labels)}
    strange = [value for value in values_in(array) if value not in allowed]
    if strange:
        listed = ", ".join(f"{value:g}" for value in strange[:8]) + (", ..." * (len(strange) > 8))
        known = ", ".join(f"{label.value}={label.name}" for label in labels)
        raise LabelError(
            f"{where} holds the value{'s' * (len(strange) > 1)} {listed}, which this project does "
            f"not have ({known}); correct the annotation"
        )
    return np.ascontiguousarray(array, dtype=np.uint8)


def refuse_empty(array: np.ndarray, where: str, allow_background: bool) -> None:
    """LabelError when nothing is annotated, or background alone unless `allow_background`."""
    if (array == IGNORE).all():
        raise LabelError(f"{where} annotates nothing: every voxel is 255")
    if not allow_background and not ((array != 0) & (array != IGNORE)).any():
        raise LabelError(
            f"{where} is empty: it holds no structure; say so explicitly if that is right "
            "(on the command line with --allow-empty)"
        )


def put_back(project: Path, case: Case, before: Case, version: str) -> Case:
    """The case with the annotation, or without any, that it had `before` it was given that of this `version`.

    ChangedError when it has another one since.
    """
    refuse_changed(case, version)
    put_in_place(project, case, before.label_version)
    of_label = ("state", "label_version", "image_hashes", "label_voxels", "coverage", "annotator", "annotated")
    return replace(case, **{name: getattr(before, name) for name in (*of_label, "dice", "done", "unseen", "looked")})


def voxels_of(array: np.ndarray) -> dict[str, int]:
    """How many voxels an annotation (uint8) gives to each value that it holds."""
    counts = np.bincount(array.ravel(), minlength=256)
    return {str(value): int(counts[value]) for value in np.flatnonzero(counts)}


def refuse_changed(case: Case, former: str | None) -> None:
    """ChangedError when the label of the case is no longer the version `former`."""
    if former not in (ANY_VERSION, case.label_version):
        raise ChangedError(
            f"case {case.id} was labelled by somebody else meanwhile ({case.state}): open it again to see that label"
        )


def version_of(array: np.ndarray, geometry: Geometry) -> str:
    """The SHA-256 of the voxels and their grid: equal annotations have equal versions."""
    numbers = [*geometry.spacing_xyz, *geometry.origin_xyz, *geometry.direction]
    grid = ",".join(f"{round(number, 6) + 0.0:.6f}" for number in numbers)
    digest = hashlib.sha256(f"{geometry.size_xyz};{grid};".encode())
    digest.update(np.ascontiguousarray(array, dtype=np.uint8).data)
    return digest.hexdigest()


def history_name(case_id: str, version: str) -> str:
    """The file name of one version of a case's annotation."""
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise LabelError(f"case {case_id}: {version!r} is not a label version")
    return f"{case_id}.{version[:16]}.nrrd"


def history_path(project: Path, case_id: str, version: str) -> Path:
    """Where one version of a case's annotation lies."""
    return project / HISTORY / history_name(check_case_id(case_id), version)


def keep_version(project: Path, case_id: str, array: np.ndarray, grid: Geometry) -> str:
    """Write an annotation among the versions of the labels, unless it is there, and return its version."""
    version = version_of(array, grid)
    kept = history_path(project, case_id, version)
    if not kept.exists():
        write_array(make_folder(kept.parent, parents=False) / kept.name, array, grid)
    return version


def put_in_place(project: Path, case: Case, version: str | None) -> None:
    """Make that version of a case's annotation the file in labels/, or let there be none; `case` as it was before.

    What another program wrote there is kept among the versions.
    """
    copy = project / "labels" / f"{check_case_id(case.id)}.nrrd"
    keep_outside_edit(copy, project / HISTORY, case.id, case.label_version)
    if version is None:
        copy.unlink(missing_ok=True)
    else:
        copy_file(history_path(project, case.id, version), copy)


def is_outside_edit(copy: Path, history: Path, case_id: str, accepted: str | None) -> bool:
    """Whether `copy` is there and holds an annotation, readable or not, that the folder `history` does not.

    accepted: the version of the case's label. The file is read only when it is not the very copy of that.
    """
    if not copy.is_file():
        return False
    try:
        known = history / history_name(case_id, accepted) if accepted else None
        if known is not None and known.is_file() and filecmp.cmp(copy, known, shallow=False):
            return False
        return not (history / history_name(case_id, version_of(*read_labels(copy, case_id)))).is_file()
    except (MetaSSLError, OSError):
        return True


def keep_outside_edit(copy: Path, history: Path, case_id: str, accepted: str | None) -> None:
    """Before `copy` is written over: what another program made of it goes to CASE.outside-HASH.nrrd in `history`."""
    if is_outside_edit(copy, history, case_id, accepted):
        kept = history / f"{case_id}.outside-{sha256_of(copy)[:16]}.nrrd"
        copy_file(copy, kept)
