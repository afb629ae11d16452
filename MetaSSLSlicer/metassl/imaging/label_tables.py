"""Names of values that lie in the header of a NIfTI file, in the dataset.json beside a folder of labels, or in an
ITK-SNAP label description, which tells of colours, too."""

from __future__ import annotations

import html
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metassl.files.json_files import read_json

from . import nifti
from .segments import IGNORE, Look

_MAX_TABLE = 1 << 22
_ENTRY = re.compile(r'<Label\b[^>]*?\bKey="(\d{1,9})"[^>]*>([^<]*)</Label>')
_SNAP_HEADER = """\
################################################
# ITK-SnAP Label Description File
# File format:
# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL
# Fields:
#    IDX:   value of the voxels
#    -R-:   red (0..255)
#    -G-:   green (0..255)
#    -B-:   blue (0..255)
#    -A-:   opacity (0.00 .. 1.00)
#    VIS:   is it shown? (0 or 1)
#    MSH:   is its surface shown? (0 or 1)
#  LABEL:   what it is
################################################
    0     0    0    0        0  0  0    "Clear Label"
"""
_SNAP_MARK = b"# ITK-SnAP Label Description"
_SNAP_LINE = re.compile(r'\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+[\d.]+\s+\d\s+\d\s+"([^"]*)"\s*')


@dataclass(frozen=True)
class DatasetLabels:
    """What a Decathlon or nnU-Net dataset.json says of its labels: `names` by value, without background and ignored.

    ignored: the values of voxels that nobody annotated.
    """

    names: dict[int, str]
    ignored: list[int] = field(default_factory=list)

    @property
    def meaning(self) -> dict[int | str, str]:
        """The names of all values but the background's, those that nobody annotated as "ignore"."""
        names: dict[int | str, str] = dict(self.names.items())
        return {**names, **dict.fromkeys(self.ignored, "ignore")}


def dataset_labels(entries: Any) -> DatasetLabels:
    """Read `labels` of a dataset.json. Raises ValueError when it is no such thing, or tells of region-based classes."""
    if not isinstance(entries, Mapping):
        raise ValueError("its labels are no table of names and values")
    found = DatasetLabels({})
    unions: list[str] = []
    for key, entry in entries.items():
        value, name = (int(key), entry) if str(key).isdigit() else (entry, str(key))
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if isinstance(value, list):
            unions.append(f"{name} ({' + '.join(map(str, value))})")
        elif isinstance(value, bool) or not isinstance(value, int) or not isinstance(name, str):
            raise ValueError(f"its label {name!r} has the value {value!r}, which is no whole number")
        elif str(name).strip().casefold() == "ignore":
            found.ignored.append(value)
        elif value != 0:
            if value in found.names:
                raise ValueError(f"it calls the label {value} both {found.names[value]} and {name}")
            found.names[value] = name
    if unions:
        raise ValueError(
            f"its classes {', '.join(unions)} are unions of labels (nnU-Net's region-based training), and MetaSSL "
            "learns one structure a voxel: write the name of each single label with its value"
        )
    return found


def labels_beside(path: Path) -> DatasetLabels | None:
    """What dataset.json says of a label in labelsTr, labelsTs ... next to it; None where there is none.

    Raises ValueError as `dataset_labels` does, ProjectError when it is damaged.
    """
    description = path.absolute().parent.parent / "dataset.json"
    if not path.absolute().parent.name.startswith("labels") or not description.is_file():
        return None
    content = read_json(description, "the description of the data set")
    return dataset_labels(content["labels"]) if isinstance(content.get("labels"), dict) else None


def nifti_table(path: Path) -> dict[int, str]:
    """The label table in the header of a NIfTI file, as Connectome Workbench and TotalSegmentator write it: names by
    value without the background, {} where there is none. Raises OSError, EOFError or zlib.error."""
    with open(path, "rb") as stream:
        magic = stream.read(2)
        stream.seek(0)
        chunks = nifti.inflated(stream) if magic == b"\x1f\x8b" else nifti.chunks_of(stream)
        data = next(chunks, b"")
        order = "<" if data[:4] == struct.pack("<i", 348) else ">"
        if len(data) < 352 or data[:4] != struct.pack(order + "i", 348) or not data[348]:
            return {}
        end = int(struct.unpack_from(order + "f", data, 108)[0])
        while len(data) < min(end, _MAX_TABLE) and (chunk := next(chunks, b"")):
            data += chunk
    text = data[352 : min(end, _MAX_TABLE)].decode("utf-8", "replace")
    table = {int(key): html.unescape(name).strip() for key, name in _ENTRY.findall(text)}
    return {value: name for value, name in table.items() if value not in (0, IGNORE) and name}


def label_description(segments: Iterable[Look]) -> str:
    """The text of an ITK-SNAP label description. It knows no quotation marks: they become apostrophes."""
    lines = []
    for value, name, color, _ in segments:
        red, green, blue = (round(255 * part) for part in color)
        quoted = name.replace('"', "'")
        lines.append(f'  {value:3d}   {red:3d}  {green:3d}  {blue:3d}  {1:7d}  1  1    "{quoted}"\n')
    return _SNAP_HEADER + "".join(lines)


def read_label_description(path: Path) -> list[Look] | None:
    """What an ITK-SNAP label description says of the values but 0; None when it is none. Raises OSError."""
    with open(path, "rb") as stream:
        start = stream.read(1 << 20)
    if _SNAP_MARK.lower() not in start[:400].lower():
        return None
    found: list[Look] = []
    for line in start.decode("utf-8", "replace").splitlines():
        if match := _SNAP_LINE.fullmatch(line):
            value, *color = (int(number) for number in match.groups()[:4])
            red, green, blue = (min(part, 255) / 255 for part in color)
            found.append((value, match[5], (red, green, blue), ""))
    return [look for look in found if look[0] != 0]
