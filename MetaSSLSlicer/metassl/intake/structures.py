"""One binary file a structure (case/ct.nii.gz with segmentations/liver.nii.gz, spleen.nii.gz ...): TotalSegmentator."""

from __future__ import annotations

from .found import Discovery
from .names import LABEL_FOLDERS, key, label_of
from .patients import cases_of, is_label, roles_of
from .tree import Tree, stem


def find(tree: Tree) -> Discovery | None:
    """Folders with images and a folder below them whose files are named after structures."""
    parts = {}
    for folder in tree.files:
        above, _, last = folder.rpartition("/")
        if last.casefold() in LABEL_FOLDERS and tree.images(above) and tree.images(folder):
            images = {key(stem(name)) for name in tree.images(above)}
            labels = {key(label_of(stem(name)) or stem(name)) for name in tree.images(folder)}
            if not images & labels:
                parts[above] = folder
    if not parts:
        return None
    others = [folder for folder in tree.files if tree.images(folder) and folder not in {*parts, *parts.values()}]
    found = cases_of(tree, {folder: roles_of(tree, folder) for folder in [*parts, *others] if folder} or _alone(tree))
    folders = {case.images[0].parent: case for case in found.cases}
    for above, below in parts.items():
        case = folders.get(tree.path(above))
        files = {stem(name): tree.path(name) for name in tree.images(below) if not is_label(stem(name).casefold())}
        if case is None or case.label is not None:
            reason = f"the case has a label of its own: {case.label}" if case else "its case is left out"
            found.left_out += [(path, reason) for path in files.values()]
            continue
        case.structures = files
    return found


def _alone(tree: Tree) -> dict[str, dict[str, str]]:
    """The folder itself is the only case."""
    return {tree.root.resolve().name: roles_of(tree, "")}
