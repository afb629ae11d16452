"""What cases a folder, a table or a file holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from metassl.choices.importers import IMPORTER_CATALOG
from metassl.choices.plugins import load
from metassl.files.errors import ProjectError
from metassl.imaging.dicom import is_dicom_file
from metassl.imaging.images import IMAGE_SUFFIXES
from metassl.imaging.pictures import is_picture
from metassl.project.cases import make_case_id
from metassl.project.words import count

from . import table
from .found import Discovery, FoundCase, refuse_duplicates
from .tree import OTHER_KINDS, PROJECT_FILES, Tree, is_volume, list_tree, reason_left, stem


def find_cases(source: Path, tick: Callable[[], None] = lambda: None, besides: Path | None = None) -> Discovery:
    """Look for cases in `source`, without reading their voxels: a folder, a table (CSV) or a single image.

    The conventions of `metassl.choices.importers` are tried in their order; the first that finds cases is taken, and
    what it has no use for is in `left_out`. `tick` is called again and again during a long search, which ends with
    what it raises. besides: a folder that is not looked into. Raises ProjectError when the folder is missing,
    unreadable or holds no images, or when two cases would get the same id.
    """
    source = Path(source).expanduser()
    if table.is_table(source):
        found = table.find(source)
        found.layout = "a table of cases"
    elif source.is_file() and (is_volume(source.name) or is_picture(source) or is_dicom_file(source)):
        found = Discovery([FoundCase(make_case_id(stem(source)), [source])], layout="a single image")
    else:
        return cases_of(list_tree(source, tick, besides), source)
    return _checked(found, source, None)


def cases_of(tree: Tree, source: Path) -> Discovery:
    """`find_cases` of files that are listed already."""
    if all(map(tree.has, PROJECT_FILES)):
        raise ProjectError(f"{source} is a project of MetaSSL itself: give the folder with its images")
    return _checked(_first(tree), source, tree)


def _checked(found: Discovery, source: Path, tree: Tree | None) -> Discovery:
    found.source = source
    if not found.cases:
        raise ProjectError(_nothing(source, found, tree))
    refuse_duplicates(found.cases)
    if tree:
        _tell_the_rest(tree, found)
    return found


def _first(tree: Tree) -> Discovery:
    for importer in IMPORTER_CATALOG:
        found: Discovery | None = load(importer.path)(tree)
        if found is not None:
            found.layout = found.layout or importer.title
            return found
    return Discovery([])


def _nothing(source: Path, found: Discovery, tree: Tree | None) -> str:
    if found.left_out:
        told = "; ".join(found.warnings[:5] or [f"{path} ({reason})" for path, reason in found.left_out[:5]])
        return f"no images that can be cases in {source}: {told}"
    if tree and (known := _of_other_kinds(tree)):
        return f"no images that can be read in {source}, but {known}"
    layouts = "; ".join(importer.title for importer in IMPORTER_CATALOG)
    return (
        f"no images in {source}: expected {', '.join(IMAGE_SUFFIXES)} files, DICOM series, pictures, "
        f"or a data set in a known layout ({layouts})"
    )


def _of_other_kinds(tree: Tree) -> str:
    """What there is that looks like images, and what to do with it."""
    parts = []
    for suffixes, remedy in OTHER_KINDS.items():
        names = [name for name in tree.all() if name.lower().endswith(suffixes)]
        if names:
            parts.append(f"{count(len(names), 'file')} such as {names[0]}: {remedy}")
    return "; ".join(parts)


def _tell_the_rest(tree: Tree, found: Discovery) -> None:
    """Every file that no case needs and no convention spoke of gets its reason."""
    used = {path for case in found.cases for path in case.files} | {path for path, _ in found.left_out}
    if found.layout == "DICOM":
        used |= {path.parent for case in found.cases for path in case.images if path.is_file()}
    for name in tree.all():
        path = tree.path(name)
        if path not in used and path.parent not in used and (reason := reason_left(name)):
            found.left_out.append((path, reason))
    found.left_out += [(tree.path(name), reason) for name, reason in tree.unlisted]
