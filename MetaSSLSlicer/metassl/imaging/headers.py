"""What the header of an image file says: the files it leads to, and whether it can be believed."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

MAX_HEADER_BYTES = 1 << 22
"""The longest honest header, of a segmentation with 250 structures and their terminology, takes a quarter of it."""

_SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")
_NRRD_END = re.compile(rb"\r?\n\r?\n")
_NRRD_NAME = re.compile(rb"(?im)^data ?file[ \t]*:([^\n]*)(?:\n|\Z)")
_NRRD_GZIP = re.compile(rb"(?im)^encoding[ \t]*:[ \t]*gz(ip)?[ \t]*\r?$")
_META_NAME, _META_COMPRESSED = (  # any white space round a key, and a value up to the end of its line
    re.compile(rb"(?im)^[ \t\r\v\f]*" + key + rb"[ \t\r\v\f]*[=:]([^\n]*)(?:\n|\Z)")
    for key in (b"ElementDataFile", b"CompressedDataSize")
)


@dataclass(frozen=True)
class HeaderFiles:
    """`files`: those with the voxels, none where they follow the header. `announced`: bytes of compressed voxels."""

    files: list[Path] = field(default_factory=list)
    announced: int = 0


def header_files(path: Path) -> HeaderFiles:
    """What the header of a NRRD or MetaImage file says; nothing for other names.

    Raises ValueError when it cannot be followed, or does not fit what comes after it.
    """
    if not path.name.lower().endswith(_SUFFIXES):
        return HeaderFiles()
    with open(path, "rb") as stream:
        data = stream.read(MAX_HEADER_BYTES)
    is_nrrd = path.name.lower().endswith((".nrrd", ".nhdr"))  # as for the choice of the reader, whatever the file says
    end = _NRRD_END.search(data) if is_nrrd else None
    head = data[: end.start()] if end else data
    if end and _lacks_gzip(head, data[end.end() :]):
        raise ValueError("its header tells of compressed voxels, and what follows is none; copy it again")
    name = (_NRRD_NAME if is_nrrd else _META_NAME).search(head)
    if not is_nrrd:
        head = data[: name.end()] if name else data
    rest = data[name.end() :] if name else b""
    files = _files(path.parent, name[1].decode("utf-8", "surrogateescape").strip(), rest) if name else []
    return HeaderFiles(files, 0 if is_nrrd else _announced(head))


def _lacks_gzip(head: bytes, body: bytes) -> bool:
    """ITK would take the bytes for voxels as they are."""
    elsewhere = _NRRD_NAME.search(head) or b"skip" in head
    return bool(not elsewhere and _NRRD_GZIP.search(head) and not body.startswith(b"\x1f\x8b"))


def _files(folder: Path, name: str, rest: bytes) -> list[Path]:
    words = name.split()
    if name.upper() == "LOCAL" or not words:
        return []
    if words[0] == "LIST":
        listed = [line.strip() for line in rest.decode("utf-8", "surrogateescape").splitlines()]
        names = [line for line in listed if line]
    elif "%" in name:
        names = _numbered(words)
    else:
        names = [name]
    return [folder / each for each in names]


def _numbered(words: list[str]) -> list[str]:
    """The names of a series such as `slice%03d.raw 1 40 1`: the readers hand the first word to printf."""
    try:
        first, last, step = (int(word) for word in [*words[1:4], "1"][:3])
        return [words[0] % number for number in range(first, last + 1, step)]
    except (TypeError, ValueError) as error:
        raise ValueError("its header names its data files by a pattern that cannot be followed") from error


def _announced(head: bytes) -> int:
    return max(map(int, _META_COMPRESSED.findall(head)), default=0)


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
