"""A new project from a folder of images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from metassl.files.errors import ImageError, LabelError, ProjectError
from metassl.project.cases import Case, unseen_structures
from metassl.project.project import Project
from metassl.project.structures import LabelDefinition, check_labels, parse_labels
from metassl.project.words import count as counted
from metassl.project.words import plural

from .discovery import find_cases
from .found import Discovery, FoundCase
from .labels import structures_not_taken, take_label, told_of_names
from .start_model import StartModel
from .structures_told import structures_told
from .usable import images_of, usable_cases

ENOUGH_TO_MEASURE = 9
"""With fewer labels than this none is kept for validation: they teach more than they measure."""

MOST_MEASURED = 10
_ROLE_OF_KEY = {"val": "validation", "test": "test"}


def new_project(
    path: Path,
    source: Path | Discovery,
    *,
    labelled: int | None = None,
    labelled_cases: list[str] | None = None,
    validation: int | None = None,
    labels: Sequence[str | LabelDefinition] | None = None,
    name: str | None = None,
    names: Mapping[int | str, str] | None = None,
    model: StartModel | None = None,
) -> tuple[Project, list[str]]:
    """Make the project `path` from the images in `source`, a folder, table or file, or what `find_cases` found there;
    returns it and a list of warnings.

    `labelled`: import the labels of the first so many cases, in the order of the folder's split or else
    of the data set; `labelled_cases`: of these cases instead; neither: of all. `validation`: import the labels of
    the first so many cases that the folder keeps for validation, or of those after the labelled ones; they are
    measured and never trained on. None: none where labelled cases are counted or named, else a quarter of the
    labels, from 3 to 10, where there are at least 9. The labels of all other cases stay hidden. The split "test" is
    kept out of training. `labels`: definitions, also as texts such as "1=Anterior", needed unless the data set names
    them. `names`: what values or segments' names in the label files mean, as for `imaging.read_annotation`. `model`:
    what round 0 predicts with, see `StartModel`.

    A case that cannot be read is left out, and one whose label cannot be used stays unlabelled,
    each with a warning; the next case takes its place in the count. Raises ProjectError or
    LabelError, before anything is written, when the request cannot be met.
    """
    found = source if isinstance(source, Discovery) else find_cases(Path(source))
    definitions = structures_for(found, labels) if model is None else model.definitions(labels)
    usable, channels, warnings = usable_cases(found)
    if model is not None:
        warnings += [*model.told, *model.check_channels(channels)]
    warnings = [*found.warnings, *warnings, *_unknown_in_split(found)]
    roles = Roles(found, usable)
    candidates = roles.to_label(labelled, labelled_cases)
    if candidates:
        warnings += (told_of_names if names is None else structures_not_taken)(found, definitions)
    takes_all = labelled is None and labelled_cases is None
    if validation is None:
        validation = to_measure(len(candidates), len(roles.kept_for_validation())) if takes_all else 0
    if takes_all:
        kept = roles.kept_for_validation()
        labelled = len(candidates) - (0 if kept else validation)
    roles.check(labelled, candidates, validation, labelled_cases)

    with Project.making(path, name or found.name or Path(path).name, definitions, channels) as project:
        open_ids, told = add_images(project, usable.values(), len(channels), roles.of)
        warnings += told
        wanted = len(candidates) if labelled_cases is not None else labelled or 0
        done = import_labels(project, found, candidates, open_ids, wanted, warnings, names)
        measured = import_labels(
            project, found, roles.to_validate(done, validation), open_ids, validation, warnings, names
        )
        for case_id in measured:
            project.update_case(case_id, split="validation")
        if model is not None:
            model.begin(project)
    for what, taken, number in (
        ("labelled", len(done), wanted),
        ("validation", len(measured), validation),
    ):
        if taken < number:
            warnings.append(f"only {taken} of {counted(number, f'{what} case')} with a label that can be used")
    for unseen in unseen_structures(project.labels, project.labelled_cases()) if model is None else ():
        warnings.append(f"no labelled case shows {unseen}: it cannot be learnt until one does")
    return project, warnings


def to_measure(labels: int, kept: int) -> int:
    """How many cases are kept for validation unless somebody says so: labels to choose from, `kept` by the folder."""
    if kept:
        return kept
    return min(max(labels // 4, 3), MOST_MEASURED) if labels >= ENOUGH_TO_MEASURE else 0


def labels_in(found: Discovery) -> tuple[int, int]:
    """How many labels there are to choose from, and how many more the folder itself keeps for validation."""
    roles = Roles(found, {case.id: case for case in found.cases})
    return len(roles.to_label(None, None)), len(roles.kept_for_validation())


def structures_in(found: Discovery) -> list[LabelDefinition]:
    """Those that the folder names, in its descriptions, by its files or in them; [] where it names none."""
    if found.labels:
        return found.labels
    by_file = [LabelDefinition(value, name) for value, name in enumerate(found.structure_names, start=1)]
    return by_file or structures_told(found)


def structures_for(found: Discovery, labels: Sequence[str | LabelDefinition] | None) -> list[LabelDefinition]:
    """What `labels` says, or the folder. ProjectError when neither does."""
    if labels:
        texts = [label for label in labels if isinstance(label, str)]
        given = [label for label in labels if isinstance(label, LabelDefinition)]
        return check_labels([*given, *(parse_labels(texts) if texts else [])])
    if named := structures_in(found):
        return check_labels(named)
    raise ProjectError(
        f"{found.source} does not name its structures: name them (on the command line with --labels 1=NAME 2=NAME)"
    )


def add_images(
    project: Project, cases: Iterable[FoundCase], channels: int, split_of: Callable[[str], str]
) -> tuple[set[str], list[str]]:
    """Add cases to the project; returns their ids and warnings, one for each that cannot be read."""
    added, warnings = [], []
    for case in cases:
        try:
            images, told = images_of(project.path / "images", case, channels)
        except ImageError as error:
            warnings.append(f"{error} (the case is left out)")
            continue
        warnings += told
        added.append(Case(case.id, [str(image.absolute()) for image in images], split_of(case.id)))
    project.add_cases(added)
    return {case.id for case in added}, warnings


class Roles:
    """Which part each case plays."""

    def __init__(self, found: Discovery, usable: dict[str, FoundCase]) -> None:
        self.found = {case.id for case in found.cases}
        self.usable = usable
        split = found.split or {}
        self.role = {case.id: case.split for case in found.cases if case.split}
        self.role.update({case_id: role for key, role in _ROLE_OF_KEY.items() for case_id in split.get(key, [])})
        self.validation = [*split.get("val", [])]
        self.validation += [
            each for each, role in self.role.items() if role == "validation" and each not in self.validation
        ]
        order = [case_id for case_id in split.get("train_order", []) if case_id in usable]
        self.order = order + [case_id for case_id in usable if case_id not in set(order) and self.of(case_id) == "pool"]

    def of(self, case_id: str) -> str:
        return self.role.get(case_id, "pool")

    def to_label(self, count: int | None, names: list[str] | None) -> list[FoundCase]:
        if count is not None and names is not None:
            raise ProjectError("give a number of labelled cases or their names, not both")
        if names is None:
            return [] if count == 0 else self._with_label(self.order)
        for name in names:
            if name not in self.found:
                raise ProjectError(f"there is no case {name} to be labelled")
            if self.of(name) != "pool":
                raise ProjectError(f"case {name} is kept out of training by the folder's split")
            if name in self.usable and not self.usable[name].has_label:
                raise ProjectError(f"case {name} has no label file")
        return self._with_label(dict.fromkeys(names))

    def kept_for_validation(self) -> list[FoundCase]:
        return self._with_label(self.validation)

    def to_validate(self, labelled: set[str], wanted: int) -> list[FoundCase]:
        order = self.validation or (self.order if wanted else [])
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
            raise ProjectError(
                f"{counted(wanted, 'labelled case')} asked for; "
                + plural(len(candidates), "1 has a label", "{count} have a label")
            )
        chosen = candidates if names is not None else candidates[:wanted]
        left = len(self.to_validate({case.id for case in chosen}, validation))
        if validation > left:
            raise ProjectError(f"{validation} validation cases asked for; {left} have a label")

    def _with_label(self, ids: Iterable[str]) -> list[FoundCase]:
        return [self.usable[case_id] for case_id in ids if case_id in self.usable and self.usable[case_id].has_label]


def _unknown_in_split(found: Discovery) -> list[str]:
    listed = [case_id for ids in (found.split or {}).values() for case_id in ids]
    unknown = sorted(set(listed) - {case.id for case in found.cases})
    return [f"splits.json names the case {name}, which is not there" for name in unknown]


def import_labels(
    project: Project,
    found: Discovery,
    cases: list[FoundCase],
    open_ids: set[str],
    count: int,
    warnings: list[str],
    names: Mapping[int | str, str] | None = None,
) -> set[str]:
    """Import labels until `count` are in; a case whose label fails is not open any more."""
    done: set[str] = set()
    for case in cases:
        if len(done) >= count:
            break
        if case.id not in open_ids:
            continue
        open_ids.remove(case.id)
        try:
            take_label(project, case, found, warnings.append, names)
            done.add(case.id)
        except (LabelError, ImageError) as error:
            warnings.append(f"{error} (the case stays unlabelled)")
    return done
