"""A folder of images, with or without sub-folders, whose labels may lie beside them (p1.nrrd, p1-label.nrrd)."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath

from metassl.project.cases import key_of, make_case_id

from ..found import Discovery, FoundCase, numbered_channels
from ..names import LABEL_FOLDERS, channel_of, derived_from, key, label_of, labelled_inside
from ..tree import Tree, stem


def find(tree: Tree) -> Discovery | None:
    """Every image that is nobody's label is a case, named after its file."""
    if not tree.images():
        return None
    found = Discovery([])
    groups: dict[str, list[Path]] = {}
    labels: dict[str, list[str]] = {}
    of_labels = {folder for folder in tree.files if not LABEL_FOLDERS.isdisjoint(folder.casefold().split("/"))}
    apart = any(tree.images(folder) for folder in tree.files if folder not in of_labels)
    for folder in tree.files:
        if apart and folder in of_labels:
            reason = "in a folder of labels, and no image has its name"
            found.left_out += [(tree.path(name), reason) for name in tree.images(folder) + tree.segmentations(folder)]
            continue
        images, own = split_labels(tree, folder, found.left_out)
        for base, paths in group_channels(tree, images).items():
            name = f"{folder}/{base}" if folder else base
            groups[name] = paths
            labels[name] = [label for path in paths for label in own.get(path, [])]
    for name, case_id in _ids(groups).items():
        case = FoundCase(case_id, groups[name])
        found.cases.append(case)
        take_first_label(tree, case, labels[name], found.left_out)
    found.channels = numbered_channels(found.cases)
    return found


def split_labels(tree: Tree, folder: str, left_out: list[tuple[Path, str]]) -> tuple[list[str], dict[Path, list[str]]]:
    """The images in `folder`, and the labels that lie beside them: path of an image → names of its labels.

    A name that only a label has, and whose image is not there, goes to `left_out`, unless all names are so.
    """
    images, files = tree.images(folder), tree.segmentations(folder)
    of = {name: label_of(stem(name)) for name in images}
    plain = [name for name in images if of[name] is None]
    by_key: dict[str, str] = {}
    for name in plain:
        parts = channel_of(stem(name))
        by_key.setdefault(key(stem(name)), name)
        if parts:
            by_key.setdefault(key(parts[0]), name)
    own: dict[Path, list[str]] = defaultdict(list)
    taken = set()
    for name in plain:
        derived, inside = (find(stem(name)) for find in (derived_from, labelled_inside))
        if derived and key(derived) in by_key:
            left_out.append((tree.path(name), f"named like a result of {by_key[key(derived)]}, no image of its own"))
            taken.add(name)
        elif inside and key(inside) in by_key:
            own[tree.path(by_key[key(inside)])].append(name)
            taken.add(name)
    for name in [*(name for name in images if of[name] is not None), *files]:
        target = of.get(name, label_of(stem(name)))
        target = stem(name) if target is None else target
        image = by_key.get(key(target)) if target else (plain[0] if len(by_key) == 1 else None)
        if image is None and name in files and len(by_key) == 1:
            image = plain[0]
        if image is not None:
            own[tree.path(image)].append(name)
            taken.add(name)
        elif name in files or plain:
            left_out.append((tree.path(name), "named like a label, and no image beside it has the rest of its name"))
            taken.add(name)
    return [name for name in images if name not in taken], own


def group_channels(tree: Tree, images: list[str]) -> dict[str, list[Path]]:
    """Image files by the name of their case; _0000 suffixes are channels only when every file has one."""
    groups: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    for name in images:
        parts = channel_of(stem(name))
        if parts is None:
            break
        groups[parts[0]].append((parts[1], tree.path(name)))
    else:
        if all([number for number, _ in sorted(group)] == list(range(len(group))) for group in groups.values()):
            return {base: [path for _, path in sorted(group)] for base, group in groups.items()}
    bases: dict[str, list[Path]] = {}
    for name in images:  # two files of one stem stay two cases, which is refused by name later
        base = stem(name)
        bases[base if base not in bases else PurePosixPath(name).name] = [tree.path(name)]
    return bases


def take_first_label(tree: Tree, case: FoundCase, names: list[str], left_out: list[tuple[Path, str]]) -> None:
    """The first of `names` becomes the label of `case`; others are told."""
    if names:
        case.label = tree.path(names[0])
    left_out += [(tree.path(name), f"another label of {case.id}: {names[0]} is taken") for name in names[1:]]


def _ids(groups: dict[str, list[Path]]) -> dict[str, str]:
    """Name → id: that of the file, or with its folders where files of two folders have the same name."""
    short = {name: make_case_id(stem(name.rsplit("/", 1)[-1])) for name in groups}
    keys = [(key_of(case_id), name.rpartition("/")[0]) for name, case_id in short.items()]
    if len({each for each, _ in keys}) < len(set(keys)):
        return {name: make_case_id(stem(name.replace("/", "_"))) for name in groups}
    return short
