"""Images to predict: cases whose labels, where there are any, are of no interest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from .discovery import cases_of, find_cases
from .found import Discovery, FoundCase, refuse_duplicates
from .tree import Tree, is_volume


def find_images(
    sources: Sequence[Path],
    channels: Sequence[str] = ("image",),
    besides: Path | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Discovery:
    """The cases in files, folders (also of DICOM) and tables (CSV), all together.

    Files that lie in one folder are looked at together, so that those of several channels find each other. channels:
    the model's; cases whose channels have names get those of the same names in the same order, and where they have
    other names, `notes` says so. besides: a folder that is left out, such as that of former predictions. `tick`:
    as for `find_cases`. Raises ProjectError when a source holds no images, or two cases would get the same id.
    """
    whole = Discovery([], channels=list(channels), layout="images")
    for found in _found_in(sources, besides, tick):
        _in_order(found, list(channels), whole.notes)
        whole.cases += found.cases
        whole.left_out += found.left_out
        whole.notes += found.notes
        whole.warnings += found.warnings
    whole.cases = _once(whole.cases)
    refuse_duplicates(whole.cases)
    return whole


def _found_in(sources: Sequence[Path], besides: Path | None, tick: Callable[[], None]) -> list[Discovery]:
    together: dict[Path, list[Path]] = defaultdict(list)
    found = []
    for source in map(Path.expanduser, sources):
        if source.is_file() and is_volume(source.name):
            together[source.absolute().parent].append(source)
        else:
            found.append(find_cases(source, tick, besides))
    for folder, files in together.items():
        if len(files) == 1:
            found.append(find_cases(files[0], tick))
        else:
            found.append(cases_of(Tree(folder, {"": sorted({file.name for file in files})}), folder))
    return found


def _once(cases: list[FoundCase]) -> list[FoundCase]:
    """Without those that were named twice, as a file and with its folder."""
    seen = set()
    kept = []
    for case in cases:
        key = tuple(path.resolve() for path in case.images)
        if key not in seen:
            kept.append(case)
        seen.add(key)
    return kept


def _in_order(found: Discovery, wanted: list[str], notes: list[str]) -> None:
    """Give each case the images of the channels `wanted`, in that order, where the names say which these are."""
    own = [name.casefold() for name in found.channels]
    asked = [name.casefold() for name in wanted]
    if len(own) < 2 or own == asked or any(name.startswith("channel ") for name in own):
        return
    if set(asked) <= set(own):
        places = [own.index(name) for name in asked]
        for case in found.cases:
            if len(case.images) == len(own):
                case.images = [case.images[place] for place in places]
        if unused := [name for name in found.channels if name.casefold() not in asked]:
            notes.append(f"the model was trained without {', '.join(unused)}: not used")
    elif len(own) == len(asked):
        notes.append(
            f"the model's channels are {', '.join(wanted)}, those in {found.source} are called "
            f"{', '.join(found.channels)}: taken in this order"
        )
