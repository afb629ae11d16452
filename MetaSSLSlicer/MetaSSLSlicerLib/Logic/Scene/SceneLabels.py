"""The structures of a segmentation in the scene, as the labels of a new project."""

from __future__ import annotations

from metassl.project import LabelDefinition

MOST_LABELS = 254


def labelsOfSegmentation(node) -> list[LabelDefinition]:
    """One label for each segment, in their order: values from 1, and their names, colours and terminology."""
    segmentation = node.GetSegmentation()
    labels, taken = [], set()
    for index in range(min(segmentation.GetNumberOfSegments(), MOST_LABELS)):
        segment = segmentation.GetNthSegment(index)
        first = _printable(segment.GetName()) or f"Structure {index + 1}"
        name, number = first, 1
        while name in taken:
            number += 1
            name = f"{first} {number}"
        taken.add(name)
        labels.append(LabelDefinition(index + 1, name, colorText(segment.GetColor()), segment.GetTerminology() or ""))
    return labels


def colorText(rgb) -> str:
    """Three numbers 0..1 as "#RRGGBB"."""
    return "#" + "".join(f"{round(255 * min(max(part, 0.0), 1.0)):02X}" for part in rgb)


def terminologyName(terminology: str) -> str:
    """What a serialised terminology entry is called: its type, with the modifier if there is one."""
    meanings = [part.split("^")[-1] for part in terminology.split("~")]
    kind, modifier = (meanings + [""] * 4)[2:4]
    return f"{kind} ({modifier})" if kind and modifier else kind


def _printable(text: str) -> str:
    return "".join(character for character in text or "" if character.isprintable()).strip()
