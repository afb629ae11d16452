"""Segments: what an annotation file says of its own values, and Slicer's segmentations (.seg.nrrd) as such files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from metassl.files.atomic import atomic_write

from .geometry import Geometry
from .writer import write_image

IGNORE = 255
"""The value of voxels that nobody annotated; they count nowhere."""

_FIELD = re.compile(r"Segment(\d+)_(\w+)")
TERMINOLOGY = "TerminologyEntry:"


SUFFIX = ".seg.nrrd"

Look = tuple[int, str, tuple[float, float, float], str]
"""Value, name, colour (r, g, b; 0..1) and Slicer's terminology entry ("" for none) of a segment."""


@dataclass(frozen=True)
class Code:
    """What a segment is in a terminology: `identity`, codes such as "SCT:10200004"; `words`: what they mean in words,
    the plainest last. Both are empty where it says no more than "tissue"."""

    identity: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Segment:
    """What the voxels of `value` in an annotation's array mean. written: the value in the file, where it is another.
    identifier: Slicer's, of the segment."""

    value: int
    name: str
    code: Code = Code()
    written: int | None = None
    identifier: str = ""

    @property
    def title(self) -> str:
        """The name with the value in the file, for messages."""
        return f"{self.name} ({self.value if self.written is None else self.written})"


@dataclass(frozen=True)
class Contents:
    """An annotation file as it is: whole numbers (z, y, x) on the file's own grid and what they mean.

    segments: None where the file has numbers alone. fills: the value of what lies outside of the file's grid. slack: so
    many voxels its slices may lie off the image's grid, as the image's own slices may. header: what else it says.
    """

    array: np.ndarray
    geometry: Geometry
    segments: list[Segment] | None = None
    fills: int = IGNORE
    slack: float = 0.0
    header: Mapping[str, str] = field(default_factory=dict)


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


def terminology_entry(fields: Mapping[str, str]) -> str:
    """Slicer's terminology entry in what a header says of a segment; "" where there is none."""
    tags = fields.get("Tags", "")
    return tags.split(TERMINOLOGY, 1)[1].split("|", 1)[0] if TERMINOLOGY in tags else ""


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
    if len(fields) >= 1 << 16:
        raise ValueError(f"its header tells of {len(fields)} segments")
    segments: list[Segment] = []
    places: list[tuple[int, int]] = []
    for number, told in enumerate(fields):
        old = "LabelValue" not in told  # Slicer 4.10 and older: a layer of 0 and 1 for each segment
        try:
            layer, value = (number, 1) if old else (int(told.get("Layer", "0")), int(told["LabelValue"]))
        except ValueError:
            raise ValueError(f"its header is damaged: segment {number} has no whole number as value or layer") from None
        if not 0 <= layer < len(layers):
            raise ValueError(
                f"its header is damaged: segment {number} lies in layer {layer}, and there are {len(layers)}"
            )
        name = "ignore" if told.get("ID") == "NotAnnotated" else told.get("Name", "") or told.get("ID", "")
        places.append((layer, value))
        segments.append(
            Segment(number + 1, name.strip(), terminology_code(terminology_entry(told)), value, told.get("ID", ""))
        )
    composed = np.zeros(layers[0].shape, np.uint16)
    for number, voxels in enumerate(layers):
        here = [(value, segment) for segment, (at, value) in zip(segments, places) if at == number and value != 0]
        compose(composed, _renumbered(voxels, here), segments)
    return Contents(composed, geometry, segments, fills=0, header=header)


def compose(array: np.ndarray, added: np.ndarray, segments: Sequence[Segment]) -> None:
    """Write segments' values to `array` where `added` has them. ValueError, naming both, where another is there."""
    shown = added > 0
    both = shown & (array > 0)
    if count := int(np.count_nonzero(both)):
        first, second = (next(s.name for s in segments if s.value == values[both][0]) for values in (added, array))
        raise ValueError(_overlap(first, second, count))
    np.copyto(array, added, where=shown, casting="unsafe")


def _renumbered(layer: np.ndarray, here: Sequence[tuple[int, Segment]]) -> np.ndarray:
    """The layer with the segments' values in place of those in the file."""
    present = values_in(layer)
    owners: dict[int, Segment] = {}
    for value, segment in here:
        if value in owners and value in present:
            raise ValueError(_overlap(owners[value].name, segment.name, int(np.count_nonzero(layer == value))))
        owners[value] = segment
    if stray := [value for value in present if value != 0 and value not in owners]:
        raise ValueError(f"it holds the value {stray[0]}, and none of its segments has it")
    table = {0: 0, **{value: segment.value for value, segment in owners.items()}}
    if layer.dtype.kind == "u":
        renumber = np.zeros(1 << 8 * layer.dtype.itemsize, np.uint16)
        renumber[present] = [table[value] for value in present]
        found: np.ndarray = renumber[layer]
        return found
    renumbered = np.zeros(layer.shape, np.uint16)
    for value in present:
        renumbered[layer == value] = table[value]
    return renumbered


def _overlap(first: str, second: str, count: int) -> str:
    return (
        f"its segments {first} and {second} overlap in at least {count} voxel{'s' * (count > 1)}: a voxel belongs to "
        "one structure; in Slicer's Segment Editor, Masking with Modify other segments: Overwrite all keeps it so"
    )


def segment_id(value: int) -> str:
    """The id of the segment that holds the voxels of `value`."""
    return "NotAnnotated" if value == IGNORE else f"Label_{value}"


def looks_of(header: Mapping[str, str]) -> list[Look]:
    """The segments that a header describes. Raises ValueError where a value or a colour is none."""
    looks: list[Look] = []
    for told in segment_fields(header):
        red, green, blue = (min(max(float(part), 0.0), 1.0) for part in told.get("Color", "0.5 0.5 0.5").split())
        value = IGNORE if told.get("ID") == segment_id(IGNORE) else int(told.get("LabelValue", "0"))
        looks.append((value, told.get("Name", "").strip(), (red, green, blue), terminology_entry(told)))
    return looks


def write_segmentation(
    path: Path,
    array: np.ndarray,
    geometry: Geometry,
    segments: Sequence[Look],
    more: Mapping[str, str] | None = None,
    level: int = -1,
) -> None:
    """Write a labelmap (uint8, z y x) of these segments atomically, compressed as much as `level` says.

    more: further fields of the header. Raises ProjectError when it cannot be written.
    """
    image = geometry.apply(sitk.GetImageFromArray(array))
    for key, value in {**_header(geometry, segments), **(more or {})}.items():
        image.SetMetaData(key, value)
    atomic_write(path, lambda temporary: write_image(temporary, image, level))


def _header(geometry: Geometry, segments: Sequence[Look]) -> dict[str, str]:
    """What Slicer wants to know of the segments."""
    x, y, z = geometry.size_xyz
    extent = f"0 {x - 1} 0 {y - 1} 0 {z - 1}"
    header = {
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_SourceRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    for index, (value, name, color, terminology) in enumerate(segments):
        fields = {
            "ID": segment_id(value),
            "Name": name,
            "NameAutoGenerated": "0",
            "Color": " ".join(f"{part:.6g}" for part in color),
            "ColorAutoGenerated": "0",
            "LabelValue": str(value),
            "Layer": "0",
            "Extent": extent,
            "Tags": f"{TERMINOLOGY}{terminology}|" if terminology else "|",
        }
        header.update({f"Segment{index}_{key}": text for key, text in fields.items()})
    return header
