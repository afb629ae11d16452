"""images/ and, beside it, labels/ (or masks/, segmentations/ ...), maybe once more below train/, val/ and test/."""

from __future__ import annotations

from pathlib import PurePosixPath

from metassl.project.cases import make_case_id

from .flat import group_channels, take_first_label
from .found import Discovery, FoundCase, numbered_channels
from .names import IMAGE_FOLDERS, LABEL_FOLDERS, SPLIT_FOLDERS, key, label_of
from .tree import Tree, stem


def find(tree: Tree) -> Discovery | None:
    """Images with the labels whose names match; a label without an image is told."""
    found = Discovery([])
    for parent, images, labels in _pairs(tree):
        _add(tree, found, parent, images, labels)
    if not any(case.has_label for case in found.cases):
        return None
    if len({case.id for case in found.cases}) < len(found.cases):
        for case in found.cases:
            case.id = make_case_id(f"{case.split}_{case.id}") if case.split else case.id
    found.channels = numbered_channels(found.cases)
    return found


def _pairs(tree: Tree) -> list[tuple[str, str, str]]:
    """(the folder above, that of the images, that of the labels): the images may also lie in the folder above."""
    folders = {str(above) for name in tree.files for above in [PurePosixPath(name), *PurePosixPath(name).parents]}
    children: dict[str, list[str]] = {}
    for name in sorted(folders - {"."}):
        above, _, last = name.rpartition("/")
        children.setdefault(above, []).append(last)
    pairs = []
    for above, names in sorted(children.items()):
        labels = [name for name in names if name.casefold() in LABEL_FOLDERS]
        images = [name for name in names if name.casefold() in IMAGE_FOLDERS]
        if len(labels) != 1 or len(images) > 1:
            continue
        join = lambda name, above=above: f"{above}/{name}" if above else name  # noqa: E731
        if images:
            pairs.append((above, join(images[0]), join(labels[0])))
        elif tree.images(above):
            pairs.append((above, above, join(labels[0])))
    return pairs


def _add(tree: Tree, found: Discovery, parent: str, images: str, labels: str) -> None:
    by_key: dict[str, list[str]] = {}
    for folder in tree.below(labels):
        for name in [*tree.images(folder), *tree.segmentations(folder)]:
            target = label_of(stem(name)) or stem(name)
            by_key.setdefault(key(target), []).append(name)
    split = SPLIT_FOLDERS.get(parent.rsplit("/", 1)[-1].casefold(), "")
    folders = [images] if images == parent else tree.below(images)
    for folder in folders:
        for base, paths in group_channels(tree, tree.images(folder)).items():
            case = FoundCase(make_case_id(base), paths, split=split)
            take_first_label(tree, case, by_key.pop(key(base), []), found.left_out)
            found.cases.append(case)
    found.left_out += [
        (tree.path(name), f"a label, and no image in {images or 'the folder above it'} has its name")
        for names in by_key.values()
        for name in names
    ]
