"""A new project from a folder of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from metassl.files.errors import ImageError, LabelError, ProjectError
from metassl.imaging.images import count_channels, read_geometry
from metassl.imaging.volumes import split_volumes, volume_count
from metassl.project.cases import Case
from metassl.project.project import Project
from metassl.project.structures import parse_labels

from .discovery import Discovery, FoundCase, find_cases


def new_project(
    path: Path,
    source: Path,
    *,
    labelled: int | None = None,
    labelled_cases: list[str] | None = None,
    validation: int = 0,
    labels: list[str] | None = None,
    name: str | None = None,
) -> tuple[Project, list[str]]:
    """Make the project `path` from the images in `source`; returns it and a list of warnings.

    `labelled`: import the labels of the first so many cases, in the order of splits.json or else
    of the data set; `labelled_cases`: of these cases instead. `validation`: import the labels of
    the first so many cases of the split "val", or of those after the labelled ones; they are
    measured and never trained on. The labels of all other cases stay hidden. The split "test" is
    kept out of training. `labels`: definitions such as "1=Anterior", needed unless the data set
    names them.

    A case that cannot be read is left out, and one whose label cannot be used stays unlabelled,
    each with a warning; the next case takes its place in the count. Raises ProjectError or
    LabelError, before anything is written, when the request cannot be met.
    """
    found = find_cases(Path(source))
    definitions = parse_labels(labels) if labels else found.labels
    if not definitions:
        raise ProjectError(f"{source} does not name its structures: name them with --labels 1=NAME 2=NAME")
    usable, channels, warnings = _usable(found)
    roles = _Roles(found, usable, validation > 0)
    candidates = roles.to_label(labelled, labelled_cases)
    roles.check(labelled, candidates, validation, labelled_cases)

    with Project.making(path, name or found.name or Path(path).name, definitions, channels) as project:
        cases = []
        for case in usable.values():
            try:
                images = _images(project, case, len(channels))
            except ImageError as error:
                warnings.append(f"{error} (the case is left out)")
                continue
            cases.append(Case(case.id, [str(image.absolute()) for image in images], roles.of(case.id)))
        project.add_cases(cases)

        open_ids = {case.id for case in cases}
        wanted = len(candidates) if labelled_cases is not None else labelled or 0
        done = _import(project, candidates, open_ids, wanted, warnings)
        measured = _import(project, roles.to_validate(done), open_ids, validation, warnings)
        for case_id in measured:
            project.update_case(case_id, split="validation")
    for what, count, number in (
        ("labelled", len(done), wanted),
        ("validation", len(measured), validation),
    ):
        if count < number:
            warnings.append(f"only {count} of {number} {what} cases have a label that can be used")
    return project, warnings


class _Roles:
    """Which part each case plays."""

    def __init__(self, found: Discovery, usable: dict[str, FoundCase], validated: bool) -> None:
        self.found = {case.id for case in found.cases}
        self.usable = usable
        split = found.split or {}
        self.validation = split.get("val", [])
        self.test = set(split.get("test", []))
        fixed = {*self.validation, *self.test}
        order = [case_id for case_id in split.get("train_order", []) if case_id in usable]
        listed = set(order)
        rest = [case_id for case_id in usable if case_id not in listed and case_id not in fixed]
        self.order = order + rest
        self.after = not self.validation and validated

    def of(self, case_id: str) -> str:
        if case_id in self.test:
            return "test"
        return "validation" if case_id in self.validation else "pool"

    def to_label(self, count: int | None, names: list[str] | None) -> list[FoundCase]:
        if count is not None and names is not None:
            raise ProjectError("give a number of labelled cases or their names, not both")
        if names is None:
            return self._with_label(self.order) if count else []
        for name in names:
            if name not in self.found:
                raise ProjectError(f"there is no case {name} to be labelled")
            if self.of(name) != "pool":
                raise ProjectError(f"case {name} is kept out of training by splits.json")
            if name in self.usable and self.usable[name].label is None:
                raise ProjectError(f"case {name} has no label file")
        return self._with_label(dict.fromkeys(names))

    def to_validate(self, labelled: set[str]) -> list[FoundCase]:
        order = self.order if self.after else self.validation
        return [case for case in self._with_label(order) if case.id not in labelled]

    def check(
        self,
        labelled: int | None,
        candidates: list[FoundCase],
        validation: int,
        names: list[str] | None,
    ) -> None:
        wanted = labelled or 0
        if wanted < 0 or validation < 0:
            raise ProjectError("a number of cases cannot be negative")
        if wanted > len(candidates):
            raise ProjectError(f"{wanted} labelled cases asked for; {len(candidates)} have a label")
        chosen = candidates if names is not None else candidates[:wanted]
        left = len(self.to_validate({case.id for case in chosen}))
        if validation > left:
            raise ProjectError(f"{validation} validation cases asked for; {left} have a label")

    def _with_label(self, ids: Iterable[str]) -> list[FoundCase]:
        cases = [self.usable[case_id] for case_id in ids if case_id in self.usable]
        return [case for case in cases if case.label is not None]


def _usable(found: Discovery) -> tuple[dict[str, FoundCase], list[str], list[str]]:
    """The cases whose headers can be read, the channel names, and a warning for each other."""
    counts: dict[str, int] = {}
    warnings = []
    for case in found.cases:
        try:
            counts[case.id] = _count(case, len(found.channels))
        except ImageError as error:
            warnings.append(f"{error} (the case is left out)")
    if not counts:
        raise ProjectError(f"none of the {len(found.cases)} cases can be read: {warnings[0]}")
    channels = found.channels
    if len(channels) == 1:  # a plain folder of vector images: their components are the channels
        common = Counter(counts.values()).most_common(1)[0][0]
        channels = channels if common == 1 else [f"channel {n}" for n in range(common)]
    usable = {}
    for case in found.cases:
        if case.id in counts and counts[case.id] != len(channels):
            warnings.append(
                f"case {case.id}: {case.images[0]} has {counts[case.id]} channels, the data set "
                f"{len(channels)} (the case is left out)"
            )
        elif case.id in counts:
            usable[case.id] = case
    if not usable:
        raise ProjectError(f"no case has {len(channels)} channels: {warnings[0]}")
    listed = [case_id for ids in (found.split or {}).values() for case_id in ids]
    unknown = sorted(set(listed) - {case.id for case in found.cases})
    warnings += [f"splits.json names the case {name}, which is not there" for name in unknown]
    return usable, channels, warnings


def _count(case: FoundCase, channels: int) -> int:
    """How many channels the case has, after a check of its headers."""
    if _is_stacked(case, channels):
        return channels
    grids = [read_geometry(image, case.id) for image in case.images]
    for image, grid in zip(case.images, grids):
        if difference := grids[0].difference(grid):
            raise ImageError(f"case {case.id}: {image} is not on the grid of {case.images[0]}: {difference}")
    return sum(count_channels(image, case.id) for image in case.images)


def _is_stacked(case: FoundCase, channels: int) -> bool:
    return channels > 1 and len(case.images) == 1 and volume_count(case.images[0]) == channels


def _images(project: Project, case: FoundCase, channels: int) -> list[Path]:
    if _is_stacked(case, channels):
        return split_volumes(case.images[0], project.path / "images", case.id)
    return case.images


def _import(project: Project, cases: list[FoundCase], open_ids: set[str], count: int, warnings: list[str]) -> set[str]:
    """Import labels until `count` are in; a case whose label fails is not open any more."""
    done: set[str] = set()
    for case in cases:
        if len(done) >= count:
            break
        if case.id not in open_ids or case.label is None:
            continue
        open_ids.remove(case.id)
        try:
            project.add_label(case.id, case.label)
            done.add(case.id)
        except (LabelError, ImageError) as error:
            warnings.append(f"{error} (the case stays unlabelled)")
    return done
