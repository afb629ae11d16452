"""Labels, predictions and their uncertainty as DICOM segmentations (SEG), for the archive that the images came from.

A file refers to the series of the image, slice by slice, and has its patient and study; nothing of these is written
anywhere else, nor told.
"""

from __future__ import annotations

import logging
import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from metassl import __version__
from metassl.files.atomic import atomic_write, make_folder
from metassl.files.errors import ErrorCode, ImageError, LabelError, MetaSSLError, ProjectError
from metassl.imaging.geometry import Geometry
from metassl.imaging.hashes import image_hashes, refuse_replaced, replaced_image
from metassl.imaging.images import IGNORE, is_dicom
from metassl.imaging.unit_maps import read_unit_map
from metassl.project.cases import Case
from metassl.project.coverage import unknown_to
from metassl.project.project import Project
from metassl.project.round_files import read_summary
from metassl.project.rounds import PredictionPaths, Round
from metassl.project.structures import LabelDefinition
from metassl.project.terms import Coded, codes_of, exact_term, without_term
from metassl.project.words import percent

from .dicom_source import DicomSource
from .export import Export

_LONGEST = 64
"""Characters that DICOM allows in a segment's label and in what a code means."""
_STEPS = 255
"""So many steps from 0 to 1 has the uncertainty in a file."""
_WRONG = "Probability that the segmentation is wrong"
_ENTROPY = "Uncertainty (entropy, 1 is none the wiser)"
_SERIES = {"labels": 1001, "predictions": 1002, "uncertainty": 1003}
"""Numbers of the series, far from those of scanners."""


def write(export: Export) -> None:
    """labels/CASE.dcm, predictions/CASE.dcm and uncertainty/CASE.dcm, for the cases whose image is DICOM."""
    highdicom, project = _highdicom(), export.project
    if not any(is_dicom(project.image_paths(case)[0]) for case in export.chosen):
        raise ProjectError(
            "none of these cases has a DICOM image, and a DICOM segmentation refers to one: choose another format"
        )
    _refuse_without_terms(project)

    @lru_cache(maxsize=1)  # a case's label and its prediction come one after the other
    def source_of(case: str) -> DicomSource:
        return DicomSource.of(case, project.image_paths(case))

    def one(path: Path, case: Case, array: np.ndarray, geometry: Geometry) -> None:
        kind, source = path.parent.name, source_of(case.id)
        what = kind[:-1]
        if difference := source.geometry.difference(geometry):
            raise ImageError(f"case {case.id}: its {what} is not on the grid of its image: {difference}")
        predicted = export.predicted[case.id] if kind == "predictions" else None
        told = _of_label(project, case, array) if predicted is None else _of_prediction(project, case, array, predicted)
        if told.silent:
            names = " and ".join(label.name for label in told.silent)
            export.result.notes.append(f"case {case.id}: its {what} says nothing about {names}, nor does the file")
        shown = [label for label in project.labels if label not in told.silent]
        writer = _Writer(highdicom, source, case.id, told.made_when)
        writer.write_structures(path.parent, kind, array, shown, told.made_by)
        if predicted is None:
            return
        if not writer.write_uncertainty(export.folder / "uncertainty", predicted.prediction(case.id)):
            export.result.notes.append(f"case {case.id}: no uncertainty of its prediction is kept any more")

    with _unheard():
        export.write_each(one)


@dataclass(frozen=True)
class _Told:
    """made_by: DICOM's type of the algorithm. made_when: the round, "" for a label. silent: the structures that an
    annotation says nothing about."""

    made_by: str
    made_when: str
    silent: list[LabelDefinition]


def _of_label(project: Project, case: Case, array: np.ndarray) -> _Told:
    """LabelError when some of it is not annotated, ImageError when it was drawn on another image."""
    images = project.image_paths(case)
    refuse_replaced(case.id, images, image_hashes(images, case.id), case.image_hashes)
    share = np.count_nonzero(array == IGNORE) / array.size
    if share:
        raise LabelError(
            f"case {case.id}: {percent(share, 1)} of its label is not annotated, and a DICOM segmentation would call "
            "that background: annotate the rest, or accept its prediction"
        )
    missing = case.missing(project.values)
    made_by = "MANUAL" if case.state == "labelled" else "SEMIAUTOMATIC"  # a prediction that somebody accepted
    made_by = "AUTOMATIC" if case.unseen else made_by
    return _Told(made_by, "", [label for label in project.labels if label.value in missing])


def _of_prediction(project: Project, case: Case, array: np.ndarray, source: Round) -> _Told:
    """ImageError when another image was predicted."""
    images, summary = project.image_paths(case), read_summary(source.prediction(case.id).summary, case.id)
    if replaced := replaced_image(images, image_hashes(images, case.id), summary.image_hashes or []):
        raise ImageError(f"case {case.id}: {replaced} was replaced after it was predicted; predict it again")
    silent = [label for label in unknown_to(summary, project.labels) if not (array == label.value).any()]
    return _Told("AUTOMATIC", f", {source.title}", silent)


class _Writer:
    """The files of one case."""

    def __init__(self, highdicom: Any, source: DicomSource, case: str, made_when: str) -> None:
        self._highdicom, self._source, self._case, self._made_when = highdicom, source, case, made_when

    def write_structures(
        self, folder: Path, kind: str, array: np.ndarray, structures: Sequence[LabelDefinition], made_by: str
    ) -> None:
        """array: values of the structures (z, y, x). Segments are numbered from 1, as DICOM wants it, and are known by
        their names and codes."""
        if not structures:
            raise LabelError(f"case {self._case}: its {kind[:-1]} says nothing about any structure")
        numbers = np.zeros(256, np.uint8)
        numbers[[label.value for label in structures]] = np.arange(1, len(structures) + 1)
        segments = [self._segment(number, label, made_by) for number, label in enumerate(structures, start=1)]
        self._write(folder, kind, numbers[array], segments, segmentation_type="BINARY")

    def write_uncertainty(self, folder: Path, paths: PredictionPaths) -> bool:
        """P(error), or the entropy where the round could not learn that; False where neither is kept."""
        learnt = paths.error_probability.is_file()
        if not learnt and not paths.uncertainty.is_file():
            return False
        shares, geometry = read_unit_map(paths.error_probability if learnt else paths.uncertainty, self._case)
        if difference := self._source.geometry.difference(geometry):
            raise ImageError(f"case {self._case}: its uncertainty is not on the grid of its image: {difference}")
        steps = np.rint(shares * _STEPS).astype(np.float32) / _STEPS
        codes = self._highdicom.sr.CodedConcept
        segment = self._highdicom.seg.SegmentDescription(
            segment_number=1,
            segment_label=_WRONG if learnt else _ENTROPY,
            segmented_property_category=codes("309825002", "SCT", "Spatial and Relational Concept"),
            segmented_property_type=codes("64957009", "SCT", "Uncertain"),
            algorithm_type="AUTOMATIC",
            algorithm_identification=self._algorithm(),
        )
        self._write(
            make_folder(folder),
            "uncertainty",
            steps,
            [segment],
            segmentation_type="FRACTIONAL",
            fractional_type="PROBABILITY",
            max_fractional_value=_STEPS,
        )
        return True

    def _segment(self, number: int, label: LabelDefinition, made_by: str) -> Any:
        codes = codes_of(label.terminology)
        assert codes is not None  # _refuse_without_terms
        made = self._highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=label.name,
            segmented_property_category=self._concept(codes.category),
            segmented_property_type=self._concept(
                codes.type, codes.modifier, "SegmentedPropertyTypeModifierCodeSequence"
            ),
            algorithm_type=made_by,
            algorithm_identification=None if made_by == "MANUAL" else self._algorithm(),
            display_color=self._highdicom.color.CIELabColor.from_rgb(*bytes.fromhex(label.color[1:])),
        )
        if codes.region is not None:
            region = self._concept(codes.region, codes.region_modifier, "AnatomicRegionModifierSequence")
            made.AnatomicRegionSequence = [region]
        return made

    def _concept(self, coded: Coded, modifier: Coded | None = None, name: str = "") -> Any:
        made = self._highdicom.sr.CodedConcept(coded.value, coded.scheme, coded.meaning)
        if modifier is not None:
            setattr(made, name, [self._concept(modifier)])
        return made

    def _algorithm(self) -> Any:
        family = self._highdicom.sr.CodedConcept("123110", "DCM", "Artificial Intelligence")
        return self._highdicom.AlgorithmIdentificationSequence("MetaSSL", family, __version__)

    def _write(self, folder: Path, kind: str, array: np.ndarray, segments: list[Any], **how: Any) -> None:
        source, highdicom = self._source, self._highdicom
        x, y, z = source.geometry.spacing_xyz
        try:
            made = highdicom.seg.Segmentation(
                source.headers,
                source.planes(array),
                segment_descriptions=segments,
                series_instance_uid=highdicom.UID(),
                series_number=_SERIES[kind],
                sop_instance_uid=highdicom.UID(),
                instance_number=1,
                manufacturer="MetaSSL",
                manufacturer_model_name="MetaSSL for 3D Slicer",
                software_versions=__version__,
                device_serial_number=__version__,
                content_label=kind.upper(),
                content_description=f"MetaSSL {kind}{self._made_when}",
                series_description=f"MetaSSL {kind}{self._made_when}",
                specific_character_set="ISO_IR 192",
                pixel_measures=highdicom.PixelMeasuresSequence([y, x], source.thickness, z),
                **how,
            )
        except (AttributeError, IndexError, KeyError, NotImplementedError, TypeError, ValueError) as error:
            kind_of_error = type(error).__name__  # its words may tell who the patient is
            raise ImageError(
                f"case {self._case}: highdicom makes no segmentation of its image's header ({kind_of_error}); is the "
                "image of a kind that has a place in the patient (CT, MR, PET)?"
            ) from None
        for element in source.patient:
            made[element.tag] = element
        atomic_write(folder / f"{self._case}.dcm", made.save_as)


def _highdicom() -> Any:
    try:
        import highdicom
    except ImportError:
        raise MetaSSLError(
            "DICOM segmentations are made by the package highdicom, which this Python lacks: "
            f"{shlex.quote(sys.executable)} -m pip install highdicom",
            ErrorCode.MISSING_PACKAGE,
        ) from None
    return highdicom


def _refuse_without_terms(project: Project) -> None:
    """ProjectError unless DICOM can be told what each structure is."""
    if without := without_term(project.labels):
        names = ", ".join(f"{label.value}={label.name}" for label in without)
        meant = exact_term(without[0].name)
        raise ProjectError(
            f"DICOM asks for a standard term for each structure, and these have none: {names}. Say what each is, such "
            f"as {_command(project, 'term', without[0], meant.name if meant else 'liver')} (metassl structure --help "
            "tells more)"
        )
    for label in project.labels:
        codes = codes_of(label.terminology)
        told = [each for each in vars(codes).values() if each is not None] if codes else []
        for text in (label.name, *(each.meaning for each in told)):
            if len(text) > _LONGEST or "\\" in text:
                raise ProjectError(
                    f"the structure {label.value}={label.name}: DICOM takes {_LONGEST} characters and no backslash for "
                    f"{text!r}; give it another name or term, such as {_command(project, 'rename', label, 'NAME')}"
                )


def _command(project: Project, action: str, label: LabelDefinition, given: str) -> str:
    return f"metassl structure {shlex.quote(str(project.path))} {action} {shlex.quote(f'{label.value}={given}')}"


@contextmanager
def _unheard() -> Iterator[None]:
    """Neither warnings nor logs of pydicom and highdicom in the block: they tell what is in fields of the patient."""
    loggers = [logging.getLogger(name) for name in ("pydicom", "highdicom")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels):
                logger.setLevel(level)
