"""The Medical Segmentation Decathlon: dataset.json lists the images and labels."""

from __future__ import annotations

from pathlib import Path

from metassl.files.errors import ProjectError
from metassl.project.cases import make_case_id
from metassl.project.words import listing, plural

from ..found import Discovery, FoundCase
from ..tree import Tree, stem
from .dataset_json import DESCRIPTION, channels_of, read_description, read_split, structures_of
from .flat import group_channels


def find(tree: Tree) -> Discovery | None:
    """The cases that dataset.json lists, and those of its folder imagesTr that it does not list, unlabelled."""
    content = read_description(tree)
    if content is None or not content.get("training"):
        return None
    path = tree.path(DESCRIPTION)
    labels, ignored = structures_of(content, path)
    try:
        cases = [_entry(tree, entry) for entry in content["training"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise ProjectError(
            f"{path} is not a Decathlon description: an entry of its training list is {error!r}"
        ) from error
    channels = channels_of(content, path)
    unlisted = _unlisted(tree, cases)
    lost = [case.id for case in cases if not Path(case.images[0]).exists()]
    if 0 < len(lost) < len(cases):
        cases = [case for case in cases if case.id not in set(lost)]
    name = str(content.get("name", ""))
    found = Discovery(cases + unlisted, labels, channels, read_split(tree), name, ignored=ignored)
    if unlisted:
        found.notes.append(
            plural(
                len(unlisted),
                "1 image that dataset.json does not list is taken as an unlabelled case",
                "{count} images that dataset.json does not list are taken as unlabelled cases",
            )
        )
    if len(found.cases) < len(content["training"]) + len(unlisted):
        what = plural(
            len(lost),
            "1 case that dataset.json lists has no image here, and is left out",
            "{count} cases that dataset.json lists have no image here, and are left out",
        )
        found.notes.append(f"{what}: {listing(lost)}")
    return found


def _entry(tree: Tree, entry: dict[str, str] | str) -> FoundCase:
    image, label = (entry, None) if isinstance(entry, str) else (entry["image"], entry.get("label"))
    path = tree.path(image)
    images = [path]
    if not path.exists():  # the listed name stands for its channel files
        channels = sorted(path.parent.glob(f"{stem(path)}_[0-9][0-9][0-9][0-9].*"))
        images = [channel for channel in channels if tree.is_image(channel.name)] or [path]
    base = stem(label) if label else stem(path)
    return FoundCase(make_case_id(base), images, tree.path(label) if label else None)


def _unlisted(tree: Tree, cases: list[FoundCase]) -> list[FoundCase]:
    known = {Path(path).resolve() for case in cases for path in case.images}
    folders = {path.parent.relative_to(tree.root.resolve()).as_posix() for path in known if _is_below(path, tree.root)}
    rest = [
        name
        for folder in sorted(folders)
        for name in tree.images("" if folder == "." else folder)
        if tree.path(name).resolve() not in known
    ]
    labels = {label.resolve() for case in cases if (label := case.label)}
    rest = [name for name in rest if tree.path(name).resolve() not in labels]
    return [FoundCase(make_case_id(base), paths) for base, paths in group_channels(tree, rest).items()]


def _is_below(path: Path, root: Path) -> bool:
    return path.is_relative_to(root.resolve())
