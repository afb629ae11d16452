"""The project of an experiment: made once from a data set, every label of its training and validation cases known.

experiment.json in the project folder says what it was made from, and who trains, validates and tests.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from metassl.files import LabelError, ProjectError, read_json, write_json
from metassl.files.errors import ImageError
from metassl.intake import Discovery, find_cases, new_project
from metassl.project import Project

SHARES = (0.15, 0.25)  # of all cases for validation and for the test, where there is no splits.json
SPLIT_SEED = 0
MADE_SPLIT = "by chance (seed 0): 60 % to train, 15 % to validate, 25 % to test"
GIVEN_SPLIT = "splits.json"


@dataclass(frozen=True)
class ExperimentData:
    """versions: label version of every training and validation case. split: where the three lists come from."""

    data: str
    digest: str
    split: str
    train_order: list[str]
    validation: list[str]
    test: list[str]
    versions: dict[str, str]
    warnings: list[str] = field(default_factory=list)


def open_data(folder: Path, data: Path, validate: bool = True) -> tuple[Project, ExperimentData, dict[str, Path]]:
    """The project in `folder`, made there if need be, and the true annotation of every case.

    MetaSSLError when the folder holds something else, or was made from other data.
    """
    found = find_cases(data)
    truths = {case.id: case.label for case in found.cases if case.label is not None}
    path = folder / "experiment.json"
    if folder.is_dir() and any(folder.iterdir()):
        if not path.is_file():
            raise ProjectError(f"{folder} is not the folder of an experiment: it has no {path.name}; choose another")
        content = read_json(path, "the experiment")
        known = _experiment_data(content, path)
        if (known.data, known.digest) != (str(data.absolute()), _digest(found)):
            what = "has changed since" if known.data == str(data.absolute()) else f"is not {known.data}, which"
            raise ProjectError(f"{data} {what} {folder} was made from it: choose another folder for the work")
        return Project.open(folder), known, truths
    _make(folder, data, found, truths, validate)
    return Project.open(folder), _experiment_data(read_json(path, "the experiment"), path), truths


def _experiment_data(content: dict[str, Any], path: Path) -> ExperimentData:
    try:
        return ExperimentData(**{name: content[name] for name in ExperimentData.__dataclass_fields__})
    except KeyError as error:
        raise ProjectError(f"the experiment is damaged: {path} has no {error}") from error


def _make(folder: Path, data: Path, found: Discovery, truths: dict[str, Path], validate: bool) -> None:
    """Beside the folder first, so that a project without all its labels is never taken for a whole one."""
    kind, train, validation, test = _split(found, truths, data)
    validation = validation if validate else []
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    project, warnings = new_project(part, data, labelled_cases=train)
    cases = project.cases
    for case_id in cases.keys() - set(train):
        split = "validation" if case_id in validation else "test"  # what is in no list takes no part either
        project.update_case(case_id, split=split)
    for case_id in validation:
        if case_id in cases:
            try:
                project.add_label(case_id, truths[case_id])
            except (LabelError, ImageError) as error:
                warnings.append(f"{error} (the case does not validate)")
    cases = project.cases
    known = ExperimentData(
        data=str(data.absolute()),
        digest=_digest(found),
        split=kind,
        train_order=[case_id for case_id in train if case_id in cases and cases[case_id].is_labelled],
        validation=[case_id for case_id in validation if case_id in cases and cases[case_id].is_labelled],
        test=[case_id for case_id in test if case_id in cases],
        versions={case.id: case.label_version for case in cases.values() if case.is_labelled and case.label_version},
        warnings=warnings,
    )
    if not known.train_order or not known.test:
        raise ProjectError(f"{data} leaves no case to train on or none to test: {'; '.join(warnings[:3])}")
    for case_id in set(train) - set(known.train_order):
        if case_id in cases:
            project.update_case(case_id, split="test")  # its label cannot be used: nothing is to predict there
    write_json(part / "experiment.json", asdict(known))
    if folder.is_dir():
        folder.rmdir()
    os.replace(part, folder)


def _split(found: Discovery, truths: dict[str, Path], data: Path) -> tuple[str, list[str], list[str], list[str]]:
    """(kind, training, validation, test), cases with a label only."""
    if found.split:
        lists = [[case_id for case_id in found.split[key] if case_id in truths] for key in found.split]
        train, validation, test = lists
        named = {*train, *validation, *test}
        train = train or [case_id for case_id in truths if case_id not in named]
        if not test:
            raise ProjectError(f"{data / 'splits.json'} names no test case with a label")
        return GIVEN_SPLIT, train, validation, test
    if len(truths) < 4:
        raise ProjectError(f"{data} has {len(truths)} cases with a label; an experiment needs 4 at least")
    ids = np.random.default_rng(SPLIT_SEED).permutation(sorted(truths)).tolist()
    few, many = (max(round(share * len(ids)), 1) for share in SHARES)
    return MADE_SPLIT, ids[few + many :], ids[:few], ids[few : few + many]


def _digest(found: Discovery) -> str:
    """Of the names and sizes of all files, and of the split."""
    files = {case.id: [_stamp(path) for path in (*case.images, case.label) if path] for case in found.cases}
    content = json.dumps([sorted(files.items()), found.split])
    return hashlib.sha256(content.encode()).hexdigest()


def _stamp(path: Path) -> tuple[str, int]:
    return path.name, path.stat().st_size if path.is_file() else 0
