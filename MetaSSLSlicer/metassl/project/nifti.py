"""Is a NIfTI file whole? ITK reads a truncated one without a word and fills the rest with zeros."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

_CHUNK = 1 << 20
_MAX_HEADER = 540


def is_nifti(path: Path) -> bool:
    """True for names that end in .nii or .nii.gz."""
    return Path(path).name.lower().endswith((".nii", ".nii.gz"))


def incompleteness(path: Path) -> str:
    """Why the NIfTI file at `path` is not whole, as a phrase; '' when it is.

    A compressed file is unpacked once to its end, so that its checksum is tested as well.
    Raises OSError when the file cannot be opened.
    """
    with open(path, "rb") as stream:
        magic = stream.read(2)
    opener = gzip.open if magic == b"\x1f\x8b" else open
    with opener(path, "rb") as stream:
        try:
            return _compare(stream)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            return "it is truncated or damaged"


def _compare(stream: BinaryIO) -> str:
    header = stream.read(_MAX_HEADER)
    expected = _expected_bytes(header)
    if expected is None:
        return "it has no NIfTI header"
    present = len(header)
    while chunk := stream.read(_CHUNK):
        present += len(chunk)
    if present < expected:
        return f"it is truncated: {present} of {expected} bytes are there"
    return ""


def _expected_bytes(header: bytes) -> int | None:
    for order in "<>":
        if len(header) >= 348 and struct.unpack_from(order + "i", header)[0] == 348:
            dims = struct.unpack_from(order + "8h", header, 40)
            bits = struct.unpack_from(order + "h", header, 72)[0]
            offset = struct.unpack_from(order + "f", header, 108)[0]
        elif len(header) >= 540 and struct.unpack_from(order + "i", header)[0] == 540:
            bits = struct.unpack_from(order + "h", header, 14)[0]
            dims = struct.unpack_from(order + "8q", header, 16)
            offset = struct.unpack_from(order + "q", header, 168)[0]
        else:
            continue
        if not 1 <= dims[0] <= 7:
            return None
        voxels = 1
        for length in dims[1 : dims[0] + 1]:
            voxels *= max(int(length), 1)
        return int(offset) + (voxels * bits + 7) // 8
    return None
