"""dataset.json and splits.json: what the descriptions of Decathlon and nnU-Net have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json
from metassl.imaging.label_tables import dataset_labels
from metassl.project.cases import make_case_id
from metassl.project.structures import LabelDefinition, check_labels

from .tree import Tree

DESCRIPTION = "dataset.json"
SPLIT_KEYS = ("train_order", "val", "test")


def read_description(tree: Tree) -> dict[str, Any] | None:
    """The dataset.json at the root of `tree`, None where there is none. ProjectError when it is no such description."""
    if not tree.has(DESCRIPTION):
        return None
    path = tree.path(DESCRIPTION)
    content = read_json(path, "the description of the data set")
    if not isinstance(content, dict) or not isinstance(content.get("labels"), dict):
        raise ProjectError(f"{path} is not a Decathlon or nnU-Net description: it has no table of labels")
    return content


def structures_of(content: dict[str, Any], path: Path) -> tuple[list[LabelDefinition], list[int]]:
    """The structures of a description, and the values that it calls "ignore" (nnU-Net: nobody annotated them).

    ProjectError when a label is a union of values (nnU-Net's region-based classes), or no value at all.
    """
    try:
        described = dataset_labels(content["labels"])
    except ValueError as error:
        raise ProjectError(f"{path} cannot be used: {error}") from error
    return check_labels(LabelDefinition(value, name) for value, name in described.names.items()), described.ignored


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
