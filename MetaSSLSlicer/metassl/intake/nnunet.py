"""nnU-Net's raw data sets: dataset.json, imagesTr with channel numbers, labelsTr; or the folder above several."""

from __future__ import annotations

from metassl.files.errors import ProjectError
from metassl.project.cases import make_case_id

from . import decathlon
from .dataset_json import DESCRIPTION, channels_of, read_description, read_split, structures_of
from .flat import group_channels
from .found import Discovery, FoundCase
from .tree import Tree, list_tree, stem


def find(tree: Tree) -> Discovery | None:
    """Every case in imagesTr, labelled where labelsTr has its file; images of imagesTs stay out."""
    content = read_description(tree)
    if content is None:
        return _in_folder_below(tree)
    if not tree.images("imagesTr"):
        return None
    path = tree.path(DESCRIPTION)
    labels, ignored = structures_of(content, path)
    channels = channels_of(content, path)
    files = {make_case_id(stem(name)): name for name in tree.images("labelsTr")}
    cases = []
    for base, images in group_channels(tree, tree.images("imagesTr")).items():
        case = FoundCase(make_case_id(base), images)
        if case.id in files:
            case.label = tree.path(files.pop(case.id))
        cases.append(case)
    left = [(tree.path(name), f"a label without an image in imagesTr: {case}") for case, name in files.items()]
    left += [(tree.path(name), "kept for testing (imagesTs)") for name in tree.images("imagesTs")]
    left += [(tree.path(name), "kept for testing (labelsTs)") for name in tree.images("labelsTs")]
    name = str(content.get("name", ""))
    return Discovery(cases, labels, channels, read_split(tree), name, left_out=left, ignored=ignored)


def _in_folder_below(tree: Tree) -> Discovery | None:
    """nnUNet_raw: the only data set in it, or an error that names them all."""
    if tree.images(""):
        return None
    folders = [f for f, names in tree.files.items() if f and f.count("/") <= 1 and f"{f}/{DESCRIPTION}" in names]
    sets = [folder for folder in folders if tree.below(f"{folder}/imagesTr")]
    if len(sets) > 1:
        raise ProjectError(
            f"{tree.root} holds {len(sets)} data sets: name the one to take, such as {tree.path(sets[0])} "
            f"({', '.join(sets[1:6])}{', ...' if len(sets) > 6 else ''})"
        )
    if not sets:
        return None
    below = list_tree(tree.path(sets[0]), tree.tick)
    found = decathlon.find(below) or find(below)
    if found:
        found.notes.append(f"the data set is the folder {sets[0]}")
        found.name = found.name or sets[0].rsplit("/", 1)[-1]
    return found
