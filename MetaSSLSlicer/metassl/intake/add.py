"""More cases and more labels for a project that is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from metassl.files.errors import ImageError, LabelError, ProjectError
from metassl.project.cases import key_of
from metassl.project.project import Project

from . import names as file_names
from .create import Roles, add_images, import_labels
from .discovery import find_cases
from .found import Discovery, FoundCase
from .labels import structures_not_taken, take_label, told_of_names
from .tree import Tree, list_tree, stem
from .usable import usable_cases


@dataclass
class Added:
    """`cases`: the ids that came in; `labelled`, `validation`: those whose label came in; `known`: those that the
    project has already; `warnings`: what was left out, and why.
    """

    cases: list[str] = field(default_factory=list)
    labelled: list[str] = field(default_factory=list)
    validation: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def add_cases(project: Project, source: Path | Discovery, *, labelled: int | None = None, validation: int = 0) -> Added:
    """Add the cases in `source` that the project does not have, with their labels: `labelled` of them, None for all.

    A case of a known id and the same images is left as it is. Raises ProjectError, before anything is written, when an
    id is taken by another image, the structures of the folder contradict the project's, or nothing is new.
    """
    found = source if isinstance(source, Discovery) else find_cases(Path(source))
    takes_labels = labelled != 0 or validation > 0
    names_told = told_of_names(found, project.labels) if takes_labels else []
    new, known = new_cases(project, found)
    done = Added(known=known, warnings=[*found.warnings, *names_told])
    usable, _channels, warnings = usable_cases(new, project.channels)
    done.warnings += warnings
    roles = Roles(new, usable)
    open_ids, told = add_images(project, usable.values(), len(project.channels), roles.of)
    done.cases, done.warnings = sorted(open_ids), done.warnings + told
    candidates = roles.to_label(labelled, None)
    wanted = len(candidates) - validation if labelled is None else labelled
    done.labelled = sorted(import_labels(project, new, candidates, open_ids, wanted, done.warnings))
    measured = roles.to_validate(set(done.labelled), validation)
    done.validation = sorted(import_labels(project, new, measured, open_ids, validation, done.warnings))
    for case_id in done.validation:
        project.update_case(case_id, split="validation")
    return done


def new_cases(project: Project, found: Discovery) -> tuple[Discovery, list[str]]:
    """Those that the project does not have, and the ids of those that it has already.

    Raises ProjectError when an id is taken by another image, or nothing is new.
    """
    known: list[str] = []
    ids = {key_of(each): each for each in project.cases}
    cases = [case for case in found.cases if not _is_known(project, case, ids, known)]
    if not cases:
        raise ProjectError(f"{found.source} holds no case that the project does not have ({len(known)} are known)")
    new = Discovery(cases, found.labels, found.channels, found.split, ignored=found.ignored, source=found.source)
    return new, known


def add_labels(
    project: Project, source: Path, *, replace: bool = False, names: Mapping[int | str, str] | None = None
) -> Added:
    """Take the label files in `source` as the labels of the cases that they are named after.

    `names`: what values or segments' names in the files mean, as for `imaging.read_annotation`. A case that has a label
    keeps it unless `replace`; a file that no case has the name of is told. Raises ProjectError
    when there is no label of any case.
    """
    found = labels_for(project, Path(source).expanduser())
    done = Added(warnings=(told_of_names if names is None else structures_not_taken)(found, project.labels))
    for case in found.cases:
        known = project.case(case.id)
        if known.is_reviewed and not replace:
            done.known.append(case.id)
            continue
        state = "corrected" if known.state in ("predicted", "accepted", "corrected") else "labelled"
        try:
            take_label(project, case, found, done.warnings.append, names, state=state, former=known.label_version)
            done.labelled.append(case.id)
        except (LabelError, ImageError) as error:
            done.warnings.append(str(error))
    done.warnings += [f"{path}: {reason}" for path, reason in found.left_out]
    return done


def _is_known(project: Project, case: FoundCase, ids: dict[str, str], known: list[str]) -> bool:
    name = ids.get(key_of(case.id))
    if name is None:
        return False
    there = [path.resolve() for path in project.image_paths(name)]
    inside = all(path.is_relative_to(project.path.resolve()) for path in there)  # split or resampled from the originals
    if not inside and there != [path.resolve() for path in case.images]:
        raise ProjectError(
            f"the project has a case {name} already, of another image ({there[0]}, not {case.images[0]}): rename one"
        )
    known.append(name)
    return True


def labels_for(project: Project, source: Path, tick: Callable[[], None] = lambda: None) -> Discovery:
    """Labels by the id of their case: in a data set with images, or in a folder of nothing but labels.

    `tick`: as for `find_cases`. Raises ProjectError when there is no label of any case of the project.
    """
    ids = {file_names.key(case_id): case_id for case_id in project.cases}
    try:
        found = find_cases(source, tick)
    except ProjectError:
        found = Discovery([])
    if any(case.has_label for case in found.cases):
        labelled = [case for case in found.cases if case.has_label]
        found.cases = []
        for case in labelled:
            if (case_id := ids.get(file_names.key(case.id))) is not None:
                case.id = case_id
                found.cases.append(case)
            else:
                found.left_out.append((case.files[-1], "no case of the project has its name"))
    else:
        found = _files_named_after_cases(list_tree(source, tick), ids, found)
    if not found.cases:
        example = f"{next(iter(project.cases), 'CASE')}.nii.gz"
        raise ProjectError(f"{source} holds no label that is named after a case of the project, such as {example}")
    return found


def _files_named_after_cases(tree: Tree, ids: dict[str, str], found: Discovery) -> Discovery:
    cases: dict[str, FoundCase] = {}
    left = []
    for name in [*tree.images(), *tree.segmentations(), *tree.dicom_segmentations()]:
        keys = [file_names.key(target) for target in file_names.targets_of(stem(name))]
        case_id = next((ids[each] for each in keys if each in ids), None)
        if case_id is None:
            left.append((tree.path(name), "no case of the project has its name"))
        elif case_id in cases:
            left.append((tree.path(name), f"another label of {case_id}: {cases[case_id].label} is taken"))
        else:
            cases[case_id] = FoundCase(case_id, [], tree.path(name))
    return Discovery(list(cases.values()), found.labels, left_out=left, ignored=found.ignored, source=tree.root)
