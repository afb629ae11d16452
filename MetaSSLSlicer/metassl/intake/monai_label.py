"""MONAI Label's folder of images: labels/final holds what somebody submitted, labels/original what was there before."""

from __future__ import annotations

from typing import Any

from metassl.files.errors import MetaSSLError
from metassl.files.json_files import read_json
from metassl.project.cases import make_case_id
from metassl.project.structures import LabelDefinition, check_labels

from .flat import group_channels, split_labels
from .found import Discovery, FoundCase, numbered_channels
from .names import key
from .tree import Tree, stem

_FINAL, _ORIGINAL = "labels/final", "labels/original"
_STORES = ("datastore_v2.json", "datastore.json")


def find(tree: Tree) -> Discovery | None:
    """The images at the root; their label is the final one."""
    store = next((name for name in _STORES if tree.has(name)), None)
    finals, originals = (
        {key(stem(name)): name for name in [*tree.images(folder), *tree.segmentations(folder)]}
        for folder in (_FINAL, _ORIGINAL)
    )
    if not tree.images("") or not (store or finals or originals):
        return None
    found = Discovery([])
    images, _labels = split_labels(tree, "", found.left_out)
    for base, paths in group_channels(tree, images).items():
        final = finals.pop(key(base), None)
        found.cases.append(FoundCase(make_case_id(base), paths, tree.path(final) if final else None))
    found.left_out += [(tree.path(name), "a final label, and its image is not here") for name in finals.values()]
    found.left_out += [
        (tree.path(name), "labels/original: the model's, or from before the review; nobody submitted it as final")
        for name in originals.values()
    ]
    found.channels = numbered_channels(found.cases)
    found.labels = _structures(tree, store) if store else []
    return found


def _structures(tree: Tree, store: str) -> list[LabelDefinition]:
    """The names that the store keeps with its labels: {"label_names": {"liver": 1}}."""
    try:
        names = _label_names(read_json(tree.path(store), "the store of MONAI Label"))
        return check_labels(LabelDefinition(value, name) for name, value in names.items() if value) if names else []
    except MetaSSLError:
        return []


def _label_names(content: Any) -> dict[str, int]:
    if isinstance(content, dict):
        names = content.get("label_names")
        if isinstance(names, dict) and all(isinstance(value, int) for value in names.values()):
            return names
        content = list(content.values())
    if isinstance(content, list):
        return next((found for each in content if (found := _label_names(each))), {})
    return {}
