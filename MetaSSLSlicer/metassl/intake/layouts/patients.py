"""A folder per patient, whose files say what they are: t1, t2, image, seg ..."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from metassl.project.cases import make_case_id

from ..found import Discovery, FoundCase, with_common_channels
from ..names import DERIVED_WORDS, LABEL_FOLDERS, LABEL_WORDS, derived_from, label_of, without
from ..tree import Tree, stem

_NUMBER = re.compile(r"[0-9]+")
_NUMBERED_CHANNELS = {"t#", "b#", "te#", "ti#", "echo#", "phase#", "channel#", "ch#", "c#", "channel_#", "mod#", "dwi#"}


def find(tree: Tree) -> Discovery | None:
    """Each folder is a case; names that come again from folder to folder are its channels and its label."""
    folders = [folder for folder in tree.files if folder and tree.images(folder)]
    if (
        not folders
        or tree.images("")
        or any(folder.rpartition("/")[2].casefold() in LABEL_FOLDERS for folder in folders)
    ):
        return None
    roles = {folder: roles_of(tree, folder) for folder in folders}
    common = Counter(role for found in roles.values() for role in found)
    often, times = common.most_common(1)[0]
    if times < max(2, len(folders) / 2) and len(folders) > 1:
        return None
    if any(map(_are_numbered, roles.values())):
        return None
    if len(folders) == 1 and not any(is_label(role) for role in roles[folders[0]]):
        return None
    return cases_of(tree, roles)


def _are_numbered(roles: dict[str, str]) -> bool:
    """Whether the images of a folder are told apart by a number alone, as cases are, and channels (t1, b0) rarely."""
    images = [role for role in roles if not is_label(role)]
    words = {_NUMBER.sub("#", role) for role in images}
    return len(images) > 1 and len(words) == 1 and not words <= _NUMBERED_CHANNELS


def roles_of(tree: Tree, folder: str) -> dict[str, str]:
    """role → file: the names in a folder, without that of the folder."""
    parts = folder.split("/")
    found: dict[str, str] = {}
    for name in [*tree.images(folder), *tree.segmentations(folder)]:
        role = without(stem(name), *parts[::-1]).casefold()
        found[role if role not in found else stem(name).casefold()] = name
    return found


def is_label(role: str) -> bool:
    return role in LABEL_WORDS or label_of(role) == ""


def cases_of(tree: Tree, roles: dict[str, dict[str, str]]) -> Discovery:
    """The cases of folders whose roles are known; "mask_liver" is the binary file of the structure liver."""
    found = Discovery([])
    images: dict[str, dict[str, Path]] = {}
    labels: dict[str, list[str]] = {}
    structures: dict[str, dict[str, Path]] = {}
    for folder, names in roles.items():
        case_id = make_case_id(folder.replace("/", "_"))
        marked = [role for role in names if is_label(role) or names[role].lower().endswith(".seg.nrrd")]
        labels[case_id] = [names[role] for role in marked]
        named = {role: label_of(role) for role in names if role not in marked}
        parts = {name: role for role, name in named.items() if name and name not in names}
        structures[case_id] = {name: tree.path(names[role]) for name, role in parts.items()}
        derived = {role for role in set(names) - set(marked) if role in DERIVED_WORDS or derived_from(role) in names}
        found.left_out += [(tree.path(names[role]), "named like a result, no image") for role in sorted(derived)]
        rest = set(names) - set(marked) - set(parts.values()) - derived
        images[case_id] = {role: tree.path(names[role]) for role in sorted(rest)}
    found.channels, chosen = with_common_channels(images, found.left_out)
    for case_id, paths in chosen.items():
        case = FoundCase(case_id, paths)
        if labels[case_id]:
            case.label = tree.path(labels[case_id][0])
            others = [*map(tree.path, labels[case_id][1:]), *structures[case_id].values()]
            found.left_out += [(other, f"another label of {case_id}: {case.label.name} is taken") for other in others]
        else:
            case.structures = structures[case_id]
        found.cases.append(case)
    return found
