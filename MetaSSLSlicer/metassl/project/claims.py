"""What an image file claims to hold: compared with the file itself before any memory is asked for."""

from __future__ import annotations

import math
import stat
from collections.abc import Sequence
from pathlib import Path

MAX_VOXELS = 1 << 31
"""Of one file, channels included: 1024 x 1024 x 2048, more than any scanner's volume; 8 GiB as float32."""

MAX_INFLATION = 1032
"""So many bytes deflate can make of one at best: 258 of every two bits."""

_SLACK_BYTES = 1 << 10


def impossible(size: Sequence[int], channels: int = 1, file_bytes: int | None = None) -> str:
    """Why an image of that size cannot be, or cannot be in a file of so many bytes; "" when it can."""
    shape = "x".join(str(n) for n in size) + (f" voxels of {channels} channels" if channels > 1 else " voxels")
    voxels = math.prod(max(n, 1) for n in size) * channels
    if voxels > MAX_VOXELS:
        return f"its header claims {shape}, more than the {MAX_VOXELS} that are read"
    if file_bytes is not None and voxels > file_bytes * MAX_INFLATION + _SLACK_BYTES:
        return f"its header claims {shape}, more than {file_bytes} bytes can hold; is the file whole?"
    return ""


def ordinary_bytes(path: Path) -> int:
    """The size of an ordinary file; ValueError for a pipe or a device, which would be read without end."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path} is not an ordinary file")
    return found.st_size
