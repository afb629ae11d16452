"""Which cases can be measured: which true annotation belongs to which, and what the model knows of it already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from metassl.files.errors import ProjectError
from metassl.imaging.images import IMAGE_SUFFIXES
from metassl.imaging.pictures import PICTURE_SUFFIXES
from metassl.project.project import Project
from metassl.project.rounds import Round, trained_on

from .measure import EvaluationItem, PredictionFiles


def pair_with_truth(predictions: Mapping[str, PredictionFiles], truth: Path) -> tuple[list[EvaluationItem], list[str]]:
    """The cases with a file CASE.nii.gz (.nrrd, .mha, ...) in the folder `truth`, and the others.

    Raises ProjectError when the folder cannot be read, or holds two files for one case.
    """
    files = truth_files(truth)
    items = [EvaluationItem(case, prediction, files[case]) for case, prediction in predictions.items() if case in files]
    return items, [case for case in predictions if case not in files]


def truth_files(folder: Path) -> dict[str, Path]:
    """The image files of a folder by case id, sorted."""
    folder = Path(folder)
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ProjectError(f"cannot read the folder of true annotations {folder}: {error.strerror or error}") from error
    found: dict[str, Path] = {}
    for path in entries:
        suffix = next((s for s in (*IMAGE_SUFFIXES, *PICTURE_SUFFIXES, ".dcm") if path.name.lower().endswith(s)), None)
        if suffix is None or path.name.startswith(".") or not path.is_file():
            continue
        case = path.name[: -len(suffix)].removesuffix(".seg")
        if case in found:
            raise ProjectError(
                f"{folder} has two annotations of the case {case}: {found[case].name} and {path.name}; keep one"
            )
        found[case] = path
    return found


def trained_on_images(project: Project, found: Round) -> set[str]:
    """The hashes of the image files of the cases whose annotation the model has seen, see `image_hashes`."""
    known = trained_on(found)
    return {each for case in project.cases.values() if case.id in known for each in case.image_hashes}


def fitted_on(project: Project, found: Round) -> set[str]:
    """The cases that P(error) and the prediction of the Dice were learnt from, where the round has learnt them."""
    return {*(found.record.get("validation") or {}), *(case.id for case in project.validation_cases())}
