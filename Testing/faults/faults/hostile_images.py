"""Hostile image files: how they are made, and what must come of reading one."""

from __future__ import annotations

import gzip
import io
import shutil
import tempfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import SimpleITK as sitk
from metassl.files import MetaSSLError
from metassl.imaging import Geometry, read_geometry, read_image, read_labels, read_volume, write_array
from metassl.imaging.images import count_channels
from metassl.intake import new_project
from metassl.project import Project

from .hostile_bytes import bomb, flipped_body, mutated, mutated_lines, mutated_nifti
from .hostile_child import Verdict

FORMATS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
SHAPE = (6, 7, 8)
NAME = "b_hostile"
NEIGHBOURS = ("a_good", "c_good")
NIFTI_BODY = 352

Files = dict[str, bytes]


def make(suffix: str, random: Random) -> tuple[Files, np.ndarray | None]:
    """A hostile image file, with its data file where there is one, and what it must hold if it is read at all."""
    files, start = seed(suffix, random.random() < 0.4)
    header, body = next(iter(files)), next(reversed(files))
    change = random.choice(("header", "header", "header", "bytes", "bytes", "body", "cut", "longer", "bomb"))
    values = _values()
    if change == "body" and not _is_packed(files, suffix):
        files[body] = flipped_body(files[body], start, random)
        return files, np.frombuffer(files[body][start:], values.dtype).reshape(SHAPE)
    if change == "cut":
        files[body] = files[body][: random.randrange(len(files[body]))]
        return files, values
    if change == "longer":
        files[body] += random.randbytes(random.choice((1, 100, 10_000)))
        return files, values
    if change == "bomb" and suffix != ".nii":
        files[body] = files[body][:start] + bomb(_plain(files[body])[:NIFTI_BODY], 40)
    elif change == "header":
        files[header] = _with_hostile_header(files[header], suffix, start, random)
    else:
        chosen = random.choice(list(files))
        files[chosen] = mutated(files[chosen], random)
    return files, None


def neighbours(source: Path) -> None:
    """Two sound images beside the hostile one."""
    source.mkdir()
    grid = Geometry(SHAPE[::-1], (1.0, 1.25, 2.0), (0.0, 5.0, 9.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    for name in NEIGHBOURS:
        write_array(source / f"{name}.nrrd", _values(), grid)


def probe(source: Path, suffix: str, files: Files, expected: np.ndarray | None, together: bool) -> Verdict:
    """Read it in every way that the product does, and, if `together`, make a project of it and its neighbours."""
    for name, data in files.items():
        (source / name).write_bytes(data)
    try:
        path = source / f"{NAME}{suffix}"
        verdict = _read(path, expected)
        return verdict if verdict.fault or not together else _with_neighbours(source, verdict)
    finally:
        for name in files:
            (source / name).unlink()


def _read(path: Path, expected: np.ndarray | None) -> Verdict:
    found: dict[str, Any] = {}
    said = ""
    for reader in (read_geometry, count_channels, read_labels, read_volume, _read_image, _read_to_grid):
        try:
            found[reader.__name__] = reader(path, NAME)
        except MetaSSLError as error:
            said = str(error)
            if NAME not in said or (reader is not _read_to_grid and path.name not in said) or not said.isprintable():
                return Verdict("unclear", said)
    if "_read_image" not in found:
        return Verdict(said=said)
    image = found["_read_image"]
    grid = found.get("read_geometry")
    if grid is None or grid.difference(image.geometry):
        return Verdict("wrong", f"the header tells of {grid}, the image lies on {image.geometry}")
    if image.array.shape != (found["count_channels"], *grid.shape_zyx) or not np.isfinite(image.array).all():
        return Verdict("wrong", f"an array of shape {image.array.shape} on {grid}")
    if expected is not None and not np.array_equal(image.array[0], expected.astype(np.float32)):
        return Verdict("wrong", "other values than those in the file")
    return Verdict()


def _read_image(path: Path, case: str):
    return read_image([path], case)


def _read_to_grid(path: Path, case: str) -> np.ndarray:
    """As training does."""
    from metassl.data.preprocess import to_grid

    return to_grid(read_image([path], case), _Plan, case).array


class _Plan:
    axes = "patient"
    spacing_zyx = (1.0, 1.0, 1.0)
    in_channels = 1
    intensity = ({"scheme": "robust_zscore"},)


def _with_neighbours(source: Path, verdict: Verdict) -> Verdict:
    with tempfile.TemporaryDirectory() as folder:
        try:
            project, warnings = new_project(Path(folder) / "project", source, labels=["1=Box"])
        except MetaSSLError as error:
            return Verdict("others", str(error))
        cases = Project.open(project.path).cases
        if not set(NEIGHBOURS) <= set(cases):
            return Verdict("others", f"only {sorted(cases)} are in the project: {warnings}")
        if NAME not in cases and not any(NAME in warning for warning in warnings):
            return Verdict("unclear", f"{NAME} is left out without a word: {warnings}")
    return verdict


@cache
def _values() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 200, SHAPE).astype(np.int16)


def seed(suffix: str, packed: bool) -> tuple[Files, int]:
    """The files of a sound image, the header first, and where the voxels begin in the last."""
    files = dict(_seed(suffix, packed and suffix != ".nii"))
    body = next(reversed(files.values()))
    if len(files) == 2:
        return files, 0
    if suffix.startswith(".nii"):
        return files, NIFTI_BODY if suffix == ".nii" else 0
    end = b"\n\n" if suffix == ".nrrd" else b"LOCAL\n"
    return files, body.index(end) + len(end)


@cache
def _seed(suffix: str, packed: bool) -> tuple[tuple[str, bytes], ...]:
    folder = Path(tempfile.mkdtemp())
    try:
        image = sitk.GetImageFromArray(_values())
        image.SetSpacing((1.0, 1.25, 2.0))
        image.SetOrigin((0.0, 5.0, 9.0))
        sitk.WriteImage(image, str(folder / f"{NAME}{suffix}"), packed)
        first = f"{NAME}{suffix}"
        others = sorted(path.name for path in folder.iterdir() if path.name != first)
        return tuple((name, (folder / name).read_bytes()) for name in (first, *others))
    finally:
        shutil.rmtree(folder)


def _is_packed(files: Files, suffix: str) -> bool:
    header = next(iter(files.values()))
    return suffix == ".nii.gz" or b"gzip" in header or b"CompressedData = True" in header


def _with_hostile_header(data: bytes, suffix: str, start: int, random: Random) -> bytes:
    if suffix == ".nii":
        return mutated_nifti(data, random)
    if suffix == ".nii.gz":
        return gzip.compress(mutated_nifti(gzip.decompress(data), random))
    return mutated_lines(data, random, start or len(data))


def _plain(data: bytes) -> bytes:
    return gzip.GzipFile(fileobj=io.BytesIO(data)).read() if data[:2] == b"\x1f\x8b" else data
