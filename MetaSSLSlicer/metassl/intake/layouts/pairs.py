"""images/ and, beside it, labels/ (or masks/, segmentations/ ...), maybe once more below train/, val/ and test/."""

from __future__ import annotations

from pathlib import PurePosixPath

from metassl.project.cases import make_case_id

from ..found import Discovery, FoundCase, numbered_channels
from ..names import IMAGE_FOLDERS, LABEL_FOLDERS, SPLIT_FOLDERS, key, targets_of
from ..tree import Tree, stem
from .flat import group_channels, take_first_label


def find(tree: Tree) -> Discovery | None:
    """Images with the labels whose names match; a label without an image is told."""
    found = Discovery([])
    pairs = _pairs(tree)
    for parent, images, labels in pairs:
        _add(tree, found, parent, images, labels)
    alone = len(pairs) == 1 and found.cases and pairs[0][0] != pairs[0][1]  # labels with other names than the images
    if not any(case.has_label for case in found.cases) and not alone:
        return None
    if len({case.id for case in found.cases}) < len(found.cases):
        for case in found.cases:
            case.id = make_case_id(f"{case.split}_{case.id}") if case.split else case.id
    found.channels = numbered_channels(found.cases)
    return found


def _pairs(tree: Tree) -> list[tuple[str, str, list[str]]]:
    """(the folder above, that of the images, those of labels): the images may also lie in the folder above, and train/,
    val/ and test/ may have images alone."""
    folders = {str(above) for name in tree.files for above in [PurePosixPath(name), *PurePosixPath(name).parents]}
    children: dict[str, list[str]] = {}
    for name in sorted(folders - {"."}):
        above, _, last = name.rpartition("/")
        children.setdefault(above, []).append(last)
    pairs = []
    for above, names in sorted(children.items()):
        labels = [name for name in names if name.casefold() in LABEL_FOLDERS]
        images = [name for name in names if name.casefold() in IMAGE_FOLDERS]
        is_split = above.rpartition("/")[2].casefold() in SPLIT_FOLDERS
        if len(images) > 1 or not (labels or (images and is_split)):
            continue
        join = lambda name, above=above: f"{above}/{name}" if above else name  # noqa: E731
        if images:
            pairs.append((above, join(images[0]), [join(name) for name in labels]))
        elif tree.images(above):
            pairs.append((above, above, [join(name) for name in labels]))
    return pairs if any(labels for _, _, labels in pairs) else []


def _add(tree: Tree, found: Discovery, parent: str, images: str, labels: list[str]) -> None:
    folders = [images] if images == parent else tree.below(images)
    groups = {folder: group_channels(tree, tree.images(folder)) for folder in folders}
    keys = {key(base) for bases in groups.values() for base in bases}
    by_key: dict[str, list[str]] = {}
    for folder in [below for each in labels for below in tree.below(each)]:
        for name in [*tree.images(folder), *tree.segmentations(folder)]:
            targets = [key(target) for target in targets_of(stem(name))]
            by_key.setdefault(next((each for each in targets if each in keys), targets[0]), []).append(name)
    split = SPLIT_FOLDERS.get(parent.rsplit("/", 1)[-1].casefold(), "")
    for bases in groups.values():
        for base, paths in bases.items():
            case = FoundCase(make_case_id(base), paths, split=split)
            take_first_label(tree, case, by_key.pop(key(base), []), found.left_out)
            found.cases.append(case)
    found.left_out += [
        (tree.path(name), f"a label, and no image in {images or 'the folder above it'} has its name")
        for names in by_key.values()
        for name in names
    ]
