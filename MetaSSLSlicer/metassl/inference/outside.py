"""Images that belong to no project: predicted by a project's model, a round's or a bundle's, into plain files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from metassl.files.atomic import make_folder
from metassl.files.errors import MetaSSLError, ProjectError, WriteError
from metassl.imaging.writer import write_array
from metassl.inference.bundle.read import read_bundle
from metassl.inference.model import TrainedModel
from metassl.inference.predict import Failed, Report, predict_files, telling
from metassl.inference.predictor import CasePrediction
from metassl.intake.found import Discovery, FoundCase
from metassl.intake.images import find_images
from metassl.intake.usable import images_of
from metassl.networks.device import choose_device
from metassl.project.project import Project
from metassl.project.round_files import read_notes
from metassl.project.rounds import Round

MAPS = ("regions", "uncertainty", "error_probability")
"""What `maps` adds: CASE_regions.nii.gz ...; the last only where the model has learnt it."""


@dataclass(frozen=True)
class ModelForImages:
    """A model with what else is needed for images from anywhere.

    channels: the names of what it was trained on, in that order. usual: what those images are like, see
    `data.unlike.Usual`. title: what predicts, for people.
    """

    model: TrainedModel
    channels: list[str]
    usual: dict[str, Any] | None
    title: str

    @staticmethod
    def of_round(project: Project, found: Round, device: str = "auto") -> ModelForImages:
        """Raises ProjectError when the round has no model."""
        model = TrainedModel.load(found.model_path, choose_device(device))
        title = f"{found.title} of {project.path}"
        return ModelForImages(model, list(project.channels), read_notes(found)[1], title)

    @staticmethod
    def of_bundle(folder: Path, device: str = "auto") -> ModelForImages:
        """Raises ProjectError when it is no bundle of ours."""
        bundle = read_bundle(folder, choose_device(device))
        return ModelForImages(bundle.model, bundle.channels, bundle.usual, f"the bundle {folder}")


@dataclass
class PredictedImages:
    """predicted: case → its label file; kept: the same, where it was there already. failed: case → why. left_out: files
    that are no part of a case, and why."""

    predicted: dict[str, Path] = field(default_factory=dict)
    kept: dict[str, Path] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    left_out: list[tuple[Path, str]] = field(default_factory=list)


def predict_images(
    source: ModelForImages,
    images: Sequence[Path],
    out: Path,
    *,
    maps: bool = False,
    overwrite: bool = False,
    report: Report = lambda done, total, case: None,
    failed: Failed = lambda case, reason: None,
    tell: Callable[[str], object] = lambda note: None,
) -> PredictedImages:
    """Predict files, folders or tables of images, see `find_images`, into out/CASE.nii.gz on each image's own grid.

    maps: also out/CASE_regions.nii.gz and those after it, see MAPS. A case of which a file is there already is kept as
    it is unless `overwrite`. An image that fails is handed to failed(case, reason), and the rest go on. tell(note):
    what should be known of an image that is predicted all the same.

    Raises ProjectError, before anything is written, when there are no images, or `out` cannot be their place;
    WriteError when a file cannot be written.
    """
    out = Path(out).expanduser().absolute()
    found = find_images(images, source.channels, besides=out)
    result = PredictedImages(left_out=found.left_out)
    targets = {case.id: _targets(out, case.id, source.model, maps) for case in found.cases}
    _refuse(found, out, [path for each in targets.values() for path in each.values()])
    for note in [*found.notes, *found.warnings]:
        tell(note)
    make_folder(out)

    for place, case in enumerate(found.cases, start=1):
        files = targets[case.id]
        try:
            if not overwrite and any(path.exists() for path in files.values()):
                result.kept[case.id] = files["segmentation"]
            else:
                prediction = _predict(source, case, tell)
                for kind, path in files.items():
                    write_array(path, getattr(prediction, kind), prediction.geometry)
                result.predicted[case.id] = files["segmentation"]
        except WriteError:
            raise
        except MetaSSLError as error:
            result.failed[case.id] = str(error)
            failed(case.id, str(error))
        report(place, len(found.cases), case.id)
    return result


def _predict(source: ModelForImages, case: FoundCase, tell: Callable[[str], object]) -> CasePrediction:
    with TemporaryDirectory() as folder:
        files, notes = images_of(Path(folder), case, len(source.channels))
        for note in notes:
            tell(note)
        return predict_files(
            source.model,
            case.id,
            files,
            lambda case_id, how: tell(f"case {case_id}: the memory is too small, predicted {how}"),
            telling(case.images[0], source.usual, tell),
        )


def _targets(out: Path, case: str, model: TrainedModel, maps: bool) -> dict[str, Path]:
    """The maps first: where the labels lie, all is written."""
    kinds = [kind for kind in MAPS if maps and (kind != "error_probability" or model.error_model is not None)]
    return {**{kind: out / f"{case}_{kind}.nii.gz" for kind in kinds}, "segmentation": out / f"{case}.nii.gz"}


def _refuse(found: Discovery, out: Path, targets: list[Path]) -> None:
    """Images are never written to, nor the folder that they are looked for in, where they would be taken for images."""
    if len(set(targets)) < len(targets):
        raise ProjectError(f"two files in {out} would get the same name: rename the cases, or predict without the maps")
    if out.exists() and not out.is_dir():
        raise ProjectError(f"{out} is a file: choose a folder to write to")
    for case in found.cases:
        for image in case.files:
            if image.absolute().parent.resolve() == out.resolve() or image.resolve() == out.resolve():
                raise ProjectError(f"{out} holds the image {image}: choose another folder to write to")
    for folder in (out, *out.parents):
        if (folder / "project.json").is_file():
            raise ProjectError(f"{out} is in the project {folder}: choose another folder to write to")
