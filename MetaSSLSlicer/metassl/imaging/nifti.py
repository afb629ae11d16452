"""Is a NIfTI file sound? ITK reads a truncated one, one without a spacing or with NaN (as 0), without a word."""

from __future__ import annotations

import itertools
import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from metassl.imaging.headers import impossible

_MAX_HEADER = 540

MAX_MM = 1e9
"""The largest number in a grid. With infinite ones ITK searches for the axes without end."""

SAME_GRID = 0.1
"""So many voxels may the two grids of a header be apart before it is told."""

_VALUE_BITS = {
    **dict.fromkeys((2, 256), 8),
    **dict.fromkeys((4, 512), 16),
    **dict.fromkeys((8, 16, 768), 32),
    **dict.fromkeys((32, 64, 1024, 1280), 64),
    **dict.fromkeys((1536, 1792), 128),
    128: 24,
    2048: 256,
    2304: 32,
}
"""Bits of a value by its type code."""

_FLOATS = {16: "f4", 64: "f8"}
"""Types of values that may be NaN, by their code."""


def is_nifti(path: Path) -> bool:
    """True for names that end in .nii or .nii.gz."""
    return Path(path).name.lower().endswith((".nii", ".nii.gz"))


def problem(path: Path, header_only: bool = False) -> str:
    """What is wrong with the NIfTI file at `path`, as a phrase; '' when it is sound.

    Unless `header_only`, the file is read once to its end, so that the checksum of a compressed one is tested as well.
    Raises OSError when it cannot be opened.
    """
    return examine(path, header_only)[0]


def examine(path: Path, header_only: bool = False, finite: bool = False) -> tuple[str, np.ndarray | None]:
    """`problem`, and, where `finite`, the values that are NaN or infinite: float16, flat, in the file's order, 0 for
    all others; None for none.

    Raises OSError when it cannot be opened.
    """
    size = path.stat().st_size
    with open(path, "rb") as stream:
        magic = stream.read(2)
        stream.seek(0)
        if magic == b"\x1f\x8b" and path.name.lower().endswith(".nii"):
            return "it is compressed, and its name must end in .nii.gz", None
        try:
            chunks = inflated(stream) if magic == b"\x1f\x8b" else chunks_of(stream)
            return _compare(chunks, size, header_only, finite)
        except (EOFError, zlib.error):
            return "it is truncated or damaged", None


def two_grids(path: Path) -> tuple[float, np.ndarray] | None:
    """Where a header has two grids (qform and sform) that differ: by how many voxels at most, and the 3x4 matrix, to
    RAS, of the sform. None where it has one, both agree, or it cannot be read."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(_CHUNK >> 4)
        if data[:2] == b"\x1f\x8b":
            data = zlib.decompressobj(_GZIP).decompress(data, _MAX_HEADER)
        header = _Header.parse(data)
    except (OSError, zlib.error, struct.error):
        return None
    if header is None or len(header.grid) != 3 + 18:
        return None
    quaternion, corner = np.array(header.grid[3:6]), np.array(header.grid[6:9])
    sform = np.array(header.grid[9:]).reshape(3, 4)
    spacing = np.abs(header.grid[:3])
    b, c, d = quaternion
    a = math.sqrt(max(0.0, 1 - b * b - c * c - d * d))
    turned = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
    qform = np.column_stack([turned * spacing * [1, 1, header.handedness], corner])
    size = np.array([*header.shape[:3], 1, 1])[:3]
    corners = np.array([*itertools.product(*[(0, max(n - 1, 0)) for n in size])]).T
    apart = np.abs((qform - sform) @ np.vstack([corners, np.ones(8)])).max() / spacing.min()
    return (float(apart), sform) if apart > SAME_GRID else None


def _compare(chunks: Iterator[bytes], size: int, header_only: bool, finite: bool) -> tuple[str, np.ndarray | None]:
    start = b""
    while len(start) < _MAX_HEADER and (chunk := next(chunks, None)) is not None:
        start += chunk
    header = _Header.parse(start)
    if header is None:
        return "it has no NIfTI header, or a damaged one", None
    if any(not spacing > 0 for spacing in header.spacing):
        return "its header gives no spacing", None  # ITK would silently take 1 mm
    if not all(abs(number) <= MAX_MM for number in header.grid):
        return "its header has an impossible grid", None
    if (reason := impossible(header.shape, 1, size)) or header_only:
        return reason, None
    values = _NotFinite(header)
    present = 0
    for chunk in itertools.chain([start], chunks):
        present += len(chunk)
        if finite:
            values.add(chunk)
    if present < header.file_bytes:
        return f"it is truncated: {present} of {header.file_bytes} bytes are there", None
    return "", values.found


class _NotFinite:
    """Finds the values of a file that are NaN or infinite; its bytes come in pieces, from the first on.

    found: float16, in the file's order, 0 for all others; None as long as there is none.
    """

    def __init__(self, header: _Header) -> None:
        self._type = header.float_type
        self._begin, self._end = header.offset, header.file_bytes
        self._rest = b""
        self._voxels, self._seen = header.voxels, 0
        self.found: np.ndarray | None = None

    def add(self, data: bytes) -> None:
        if self._type is None:
            return
        voxels = data[max(self._begin, 0) : max(self._end, 0)]
        self._begin -= len(data)
        self._end -= len(data)
        data = self._rest + voxels
        whole = len(data) - len(data) % self._type.itemsize
        self._rest = data[whole:]
        values = np.frombuffer(data[:whole], self._type)
        lost = ~np.isfinite(values)
        if lost.any():
            if self.found is None:
                self.found = np.zeros(self._voxels, np.float16)
            self.found[self._seen : self._seen + lost.size][lost] = values[lost]
        self._seen += lost.size


@dataclass(frozen=True)
class _Header:
    """All axes, the size of the whole file, and the spacing of the axes that have more than one voxel.

    offset: where the voxels begin. float_type: of values that may be NaN, else None.
    grid: the numbers that say where it lies, as far as they count. handedness: -1 where the third axis is turned round.
    """

    shape: tuple[int, ...]
    offset: int
    file_bytes: int
    float_type: np.dtype | None
    spacing: list[float]
    grid: list[float]
    handedness: float

    @property
    def voxels(self) -> int:
        return math.prod(max(length, 1) for length in self.shape)

    @staticmethod
    def parse(data: bytes) -> _Header | None:
        for order in "<>":
            header_bytes = struct.unpack_from(order + "i", data)[0] if len(data) >= 4 else 0
            if len(data) >= header_bytes == 348:
                dims = struct.unpack_from(order + "8h", data, 40)
                kind = struct.unpack_from(order + "h", data, 70)[0]
                pixdim = struct.unpack_from(order + "8f", data, 76)
                offset = struct.unpack_from(order + "f", data, 108)[0]
                codes = struct.unpack_from(order + "2h", data, 252)
                placed = struct.unpack_from(order + "18f", data, 256)
            elif len(data) >= header_bytes == 540:
                kind = struct.unpack_from(order + "h", data, 12)[0]
                dims = struct.unpack_from(order + "8q", data, 16)
                pixdim = struct.unpack_from(order + "8d", data, 104)
                offset = struct.unpack_from(order + "q", data, 168)[0]
                codes = struct.unpack_from(order + "2i", data, 344)
                placed = struct.unpack_from(order + "18d", data, 352)
            else:
                continue
            if not 1 <= dims[0] <= 7 or not 0 <= offset < math.inf or kind not in _VALUE_BITS:
                return None
            used = dims[1 : dims[0] + 1]
            voxels = math.prod(max(length, 1) for length in used)
            # A negative spacing is the old way to write a flip, which ITK understands.
            spacing = [abs(step) for step, n in zip(pixdim[1:4], used) if n > 1]
            grid = [*pixdim[1:4], *(placed[:6] if codes[0] else ()), *(placed[6:] if codes[1] else ())]
            float_type = np.dtype(order + _FLOATS[kind]) if kind in _FLOATS else None
            begin = max(int(offset), header_bytes)  # as ITK takes an offset that points into the header
            file_bytes = begin + voxels * _VALUE_BITS[kind] // 8
            return _Header(used, begin, file_bytes, float_type, spacing, grid, -1.0 if pixdim[0] < 0 else 1.0)
        return None


_CHUNK = 1 << 20
_GZIP = 31  # "with the header and the checksum of gzip", for zlib


def chunks_of(stream: BinaryIO) -> Iterator[bytes]:
    """What `stream` still holds, some at a time."""
    while chunk := stream.read(_CHUNK):
        yield chunk


def inflated(stream: BinaryIO) -> Iterator[bytes]:
    """What the gzip stream that begins here holds, some at a time; its checksum is tested.

    gzip.open looks at zeros that pad the end one by one: a minute for some hundred MB. Raises EOFError when its end is
    missing, zlib.error when it is damaged.
    """
    inflate = zlib.decompressobj(_GZIP)
    for data in chunks_of(stream):
        while data:
            if inflate.eof:
                if not (data := data.lstrip(b"\0")):
                    break
                inflate = zlib.decompressobj(_GZIP)
            yield inflate.decompress(data, _CHUNK)
            data = inflate.unconsumed_tail or inflate.unused_data
    while not inflate.eof and (rest := inflate.decompress(b"", _CHUNK)):
        yield rest
    if not inflate.eof:
        raise EOFError
