"""Segments: what an annotation file says of its own values, and a Slicer segmentation (.seg.nrrd) as such a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from .geometry import Geometry

IGNORE = 255
"""The value of voxels that nobody annotated; they count nowhere."""

_FIELD = re.compile(r"Segment(\d+)_(\w+)")
_TERMINOLOGY = "TerminologyEntry:"


@dataclass(frozen=True)
class Code:
    """What a segment is in a terminology: `identity`, codes such as "SCT:10200004"; `words`: what they mean in words,
    the plainest last. Both are empty where it says no more than "tissue"."""

    identity: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Segment:
    """What the voxels of `value` in an annotation's array mean. written: the value in the file, where it is another."""

    value: int
    name: str
    code: Code = Code()
    written: int | None = None

    @property
    def title(self) -> str:
        """The name with the value in the file, for messages."""
        return f"{self.name} ({self.value if self.written is None else self.written})"


@dataclass(frozen=True)
class Contents:
    """An annotation file as it is: whole numbers (z, y, x) on the file's own grid and what they mean.

    segments: None where the file has numbers alone. fills: the value of what lies outside of the file's grid.
    """

    array: np.ndarray
    geometry: Geometry
    segments: list[Segment] | None = None
    fills: int = IGNORE


def values_in(array: np.ndarray) -> list[int]:
    """The values in an array of whole numbers, sorted."""
    if array.dtype.itemsize > 2 or array.dtype.kind != "u":
        return [int(value) for value in np.unique(array)]
    seen = np.zeros(1 << 8 * array.dtype.itemsize, bool)
    for plane in array:  # far quicker than sorting every voxel, and small in memory
        seen[plane] = True
    return [int(value) for value in np.flatnonzero(seen)]


def code_of(parts: Iterable[tuple[str, str, str]]) -> Code:
    """A Code from (scheme, code, meaning) of type, its modifier, region, its modifier; empty ones are left out."""
    known = [part for part in parts if part[1]]
    if all(meaning.casefold() == "tissue" for _, _, meaning in known):
        return Code()
    words = [meaning for _, _, meaning in known if meaning]
    together = [f"{second} {first}" for first, second in zip(words, words[1:])]
    return Code(
        tuple(f"{scheme}:{code}" for scheme, code, _ in known), (*together, *(words if len(words) == 1 else ()))
    )


def terminology_code(text: str) -> Code:
    """The Code in a terminology entry as Slicer writes it; empty when there is none."""
    fields = [tuple((part.split("^") + ["", "", ""])[:3]) for part in text.split("~")]
    chosen = [fields[place] for place in (2, 3, 5, 6) if place < len(fields)]
    return code_of((scheme, code, meaning) for scheme, code, meaning in chosen)


def segment_fields(header: Mapping[str, str]) -> list[dict[str, str]]:
    """What the header of a Slicer segmentation says of each segment, by field: ID, Name, LabelValue, Layer, Tags."""
    found: dict[int, dict[str, str]] = {}
    for key, text in header.items():
        if match := _FIELD.fullmatch(key):
            found.setdefault(int(match[1]), {})[match[2]] = text
    return [found[number] for number in sorted(found)]


def header_of(image: sitk.Image | sitk.ImageFileReader) -> dict[str, str]:
    """All that the header of a file says besides the grid."""
    return {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}


def slicer_segmentation(layers: Sequence[np.ndarray], geometry: Geometry, header: Mapping[str, str]) -> Contents | None:
    """The contents of a .seg.nrrd of these layers (whole numbers, z y x); None when its header tells of no segments.

    Raises ValueError, naming the segments, when two of them overlap, or when it holds anything but label maps.
    """
    fields = segment_fields(header)
    if not fields:
        return None
    kind = header.get("Segmentation_MasterRepresentation", header.get("Segmentation_SourceRepresentation", ""))
    if "fractional" in kind.casefold():
        raise ValueError("it is a fractional segmentation; export it as a binary labelmap")
    segments, places = [], []
    for number, field in enumerate(fields):
        old = "LabelValue" not in field  # Slicer 4.10 and older: a layer of 0 and 1 for each segment
        try:
            layer, value = (number, 1) if old else (int(field.get("Layer", "0")), int(field["LabelValue"]))
        except ValueError:
            raise ValueError(f"its header is damaged: segment {number} has no whole number as value or layer") from None
        if not 0 <= layer < len(layers):
            raise ValueError(
                f"its header is damaged: it has {len(layers)} layers, and segment {number} lies in {layer}"
            )
        tags = field.get("Tags", "")
        entry = tags.split(_TERMINOLOGY, 1)[1].split("|", 1)[0] if _TERMINOLOGY in tags else ""
        name = "ignore" if field.get("ID") == "NotAnnotated" else field.get("Name", "") or field.get("ID", "")
        places.append((layer, value))
        segments.append(Segment(number + 1, name.strip(), terminology_code(entry), value))
    unnamed = [set(values_in(layer)) - {0, *(v for at, v in places if at == n)} for n, layer in enumerate(layers)]
    if stray := sorted(set().union(*unnamed)):
        raise ValueError(f"it holds the value {stray[0]}, and none of its segments has it")
    composed = np.zeros(layers[0].shape, np.uint16)
    for segment, (layer, value) in zip(segments, places):
        compose(composed, segment, layers[layer] == value, segments)
    return Contents(composed, geometry, segments, fills=0)


def compose(array: np.ndarray, segment: Segment, mask: np.ndarray, segments: Sequence[Segment]) -> None:
    """Write the segment's value to `array` where `mask`. ValueError, naming both, where another segment is there."""
    if taken := np.unique(array[mask][array[mask] > 0]).tolist():
        others = " and ".join(other.name for other in segments if other.value in taken)
        count = int(np.count_nonzero(array[mask]))
        raise ValueError(
            f"its segments {segment.name} and {others} overlap in {count} voxel{'s' * (count > 1)}: a voxel belongs to "
            "one structure; in Slicer's Segment Editor, Masking with Modify other segments: Overwrite all keeps it so"
        )
    array[mask] = segment.value
