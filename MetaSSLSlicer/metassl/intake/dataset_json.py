"""dataset.json and splits.json: what the descriptions of Decathlon and nnU-Net have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json
from metassl.project.cases import make_case_id
from metassl.project.structures import LabelDefinition, check_labels

from .tree import Tree

DESCRIPTION = "dataset.json"
SPLIT_KEYS = ("train_order", "val", "test")
IGNORE_NAME = "ignore"


def read_description(tree: Tree) -> dict[str, Any] | None:
    """The dataset.json at the root of `tree`, None where there is none. ProjectError when it is no such description."""
    if not tree.has(DESCRIPTION):
        return None
    path = tree.path(DESCRIPTION)
    content = read_json(path, "the description of the data set")
    if not isinstance(content, dict) or not isinstance(content.get("labels"), dict):
        raise ProjectError(f"{path} is not a Decathlon or nnU-Net description: it has no table of labels")
    return content


def structures_of(content: dict[str, Any], path: Path) -> tuple[list[LabelDefinition], int | None]:
    """The structures of a description, and the value that it calls "ignore" (nnU-Net: nobody annotated it).

    ProjectError when a label is a union of values (nnU-Net's region-based classes), or no value at all.
    """
    found, ignored, unions = [], None, []
    for key, value in content["labels"].items():
        number, name = (int(key), value) if str(key).strip().isdigit() else (value, key)
        if isinstance(number, (list, tuple)):
            unions.append(str(name))
            continue
        if isinstance(number, str) and number.strip().isdigit():
            number = int(number)
        if not isinstance(number, int) or isinstance(number, bool):
            raise ProjectError(f"{path}: the label {name!r} has the value {number!r}, which is no whole number")
        if str(name).strip().casefold() == IGNORE_NAME:
            ignored = number
        elif number != 0:
            found.append(LabelDefinition(number, str(name)))
    if unions:
        raise ProjectError(
            f"{path}: {', '.join(unions)} {'is a union' if len(unions) == 1 else 'are unions'} of several values "
            "(region-based classes of nnU-Net), which may overlap; a project here has one value a voxel: write each "
            "value under a name of its own in a copy of dataset.json, or name the structures with --labels"
        )
    return check_labels(found), ignored


def channels_of(content: dict[str, Any], path: Path) -> list[str]:
    """The names of the channels, in the order of their numbers."""
    names = content.get("channel_names") or content.get("modality") or {"0": "image"}
    try:
        return [str(names[key]) for key in sorted(names, key=int)]
    except (TypeError, ValueError, AttributeError) as error:
        raise ProjectError(f"{path}: its channel names are no table of numbers and names") from error


def read_split(tree: Tree) -> dict[str, list[str]] | None:
    """splits.json beside the description: lists of case ids; None where there is none."""
    if not tree.has("splits.json"):
        return None
    path = tree.path("splits.json")
    content = read_json(path, "the split of the data set")
    split: dict[str, list[str]] = {}
    seen: set[str] = set()
    for key in SPLIT_KEYS:
        ids = content.get(key, [])
        if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
            raise ProjectError(f"{path}: {key!r} is not a list of case ids")
        split[key] = [make_case_id(name) for name in ids]
        for name in split[key]:
            if name in seen:
                raise ProjectError(f"{path} names the case {name} twice")
            seen.add(name)
    return split
