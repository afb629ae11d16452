"""Names of values that lie in the header of a NIfTI file, or in the dataset.json beside a folder of labels."""

from __future__ import annotations

import html
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metassl.files.json_files import read_json

from . import nifti
from .segments import IGNORE

_MAX_TABLE = 1 << 22
_ENTRY = re.compile(r'<Label\b[^>]*?\bKey="(\d{1,9})"[^>]*>([^<]*)</Label>')


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
