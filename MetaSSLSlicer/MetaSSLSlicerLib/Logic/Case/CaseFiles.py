"""Reads all that is shown of a case. Runs in a thread: nothing here knows the scene."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from metassl.files import ImageError, LabelError, MetaSSLError
from metassl.imaging import Geometry, read_labels, read_volume
from metassl.imaging.hashes import image_hashes, refuse_replaced, replaced_image
from metassl.imaging.unit_maps import read_unit_map
from metassl.project import Case, LabelDefinition, PredictionPaths, Project, Round
from metassl.project.coverage import unknown_to
from metassl.project.records import Rates, Summary
from metassl.project.round_files import read_summary

from ...Translation import _
from ..Autosave.AutosaveFile import autosaveMarks, continues, timeOf
from ..Autosave.AutosaveFormat import AutosaveContent, autosavePath, readAutosave

UNCERTAINTY, ERROR_PROBABILITY = "uncertainty", "errorProbability"
"""The kinds of heat maps of a prediction, which are read only when they are wanted."""

HeatMap = tuple[str, np.ndarray]
"""(kind, values)"""

_PERCENTILES = (0.5, 99.5)
_SAMPLE = 100_000
_THREADS = 4


@dataclass(frozen=True)
class Channel:
    """One image of a case: array (z, y, x) in the file's own type; `window`: the values shown black and white."""

    name: str
    array: np.ndarray
    window: tuple[float, float]


@dataclass(frozen=True)
class Prediction:
    """What a round predicted; segmentation, regions: uint8 (z, y, x). `errorRates`: {"UC": ...} where measured."""

    round: int
    segmentation: np.ndarray
    regions: np.ndarray
    summary: Summary
    paths: PredictionPaths
    errorRates: Rates | None

    def unknown(self, labels: Sequence[LabelDefinition]) -> list[LabelDefinition]:
        """The structures that the model did not know, as they were added later."""
        return unknown_to(self.summary, labels)


@dataclass
class CaseData:
    """All arrays are (z, y, x) on `geometry`. `autosaved`: edits that were never saved, of `autosaveTime` (epoch);
    `unknownStructures`: the structures in them that are none of the project's.

    `imageHashes`: which image exactly was read, for what is drawn on it. `labelVersion`: of `label`. `begunOn`: of the
    label that the edits were begun on; another one when somebody has labelled the case since. `autosaveMark`: tells
    whether the autosave was written again since, see AutosaveFile. `isAutosaveSaved`: it holds what the label does.
    `predictedBy`: the round of the prediction that was found, also when it cannot be shown. `coverage`: the values of
    the structures that `label` speaks about, None for all. `looked`: as in `Case`, of a label that was saved here.
    `heat`: the most telling map, where it was read already; it is given out once.
    """

    caseId: str
    state: str
    geometry: Geometry
    channels: list[Channel]
    label: np.ndarray | None = None
    autosaved: np.ndarray | None = None
    unknownStructures: list[LabelDefinition] = field(default_factory=list)
    autosaveTime: float | None = None
    prediction: Prediction | None = None
    predictedBy: int | None = None
    warnings: list[str] = field(default_factory=list)
    imageHashes: list[str] = field(default_factory=list)
    labelVersion: str | None = None
    begunOn: str | None = None
    autosavePath: Path | None = None
    autosaveMark: tuple | None = None
    isAutosaveSaved: bool = False
    coverage: list[int] | None = None
    looked: list[int] | None = None
    heat: HeatMap | None = None


def readCase(project: Project, caseId: str, ours: Container[str] = ()) -> CaseData:
    """Read a case. MetaSSLError when its image cannot be shown; what else is damaged becomes a warning.

    `ours`: versions of labels that were saved here; anything else in their place is somebody else's.
    """
    case = project.case(caseId)
    paths = project.image_paths(case)
    found = project.prediction(caseId)
    autosaves = autosaveMarks(project, caseId)
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="metassl-read")
    with pool:
        images = [pool.submit(read_volume, path, caseId) for path in paths]
        hashes = pool.submit(image_hashes, paths, caseId)
        label = pool.submit(project.read_label, caseId) if case.label_version is not None else None
        maps = [pool.submit(read_labels, path, caseId) for path in _maps(found)]
        channels, geometry = _channels(project, caseId, paths, [image.result() for image in images])
    data = CaseData(caseId, case.state, geometry, channels, imageHashes=hashes.result())
    data.labelVersion = data.begunOn = case.label_version
    data.coverage = case.coverage
    if label is not None and not _isInPrediction(case, found):
        data.label = _tried(data, lambda: onGrid(label.result(), geometry, project.accepted_label(caseId), caseId))
        try:
            refuse_replaced(caseId, paths, data.imageHashes, case.image_hashes)
        except ImageError as error:
            data.warnings.append(str(error))
        if edited := project.outside_edit(caseId):
            text = _("case {case}: another program has changed {path}; you see the label as it was accepted")
            data.warnings.append(text.format(case=caseId, path=edited))
    if found is not None:
        data.predictedBy = found[0].number
        data.prediction = _tried(data, lambda: _prediction(found, [each.result() for each in maps], geometry, caseId))
        if data.prediction is not None:
            _warnOfOtherImage(data, paths)
    _readAutosaves(project, data, autosaves, ours)
    return data


def _isInPrediction(case: Case, found: tuple[Round, PredictionPaths] | None) -> bool:
    """True when a part of the case was annotated, and the prediction, which was made later, holds that part."""
    return found is not None and case.is_partial and case.is_known_to(found[0].record.get("labels") or {})


def readPrediction(project: Project, data: CaseData) -> Prediction | None:
    """The prediction of a case that is reviewed now, which may be another one than when the case was read; None when
    there is none any more. MetaSSLError when it cannot be shown."""
    found = project.prediction(data.caseId)
    if found is None:
        return None
    return _prediction(found, [read_labels(path, data.caseId) for path in _maps(found)], data.geometry, data.caseId)


def _readAutosaves(project: Project, data: CaseData, autosaves: dict[Path, tuple], ours: Container[str]) -> None:
    """Take the newest autosave that can be read; others come later. `autosaves`: their marks, the newest first."""
    data.autosavePath = autosavePath(project, data.caseId)
    data.autosaveMark = autosaves.get(data.autosavePath)
    waiting = iter(autosaves.items())
    for path, mark in waiting:
        content = _tried(data, lambda path=path: readAutosave(path, data.geometry, data.caseId, project.labels))
        if content is not None:
            data.autosavePath, data.autosaveMark = path, mark
            _takeAutosave(data, content, timeOf(mark), ours)
            break
    text = _("case {case}: there is more unsaved work in {path}; it comes back when this is saved or thrown away")
    for other, mark in waiting:
        if not continues(data.autosavePath, mark):
            data.warnings.append(text.format(case=data.caseId, path=other))


def _takeAutosave(data: CaseData, content: AutosaveContent, time: float, ours: Container[str]) -> None:
    if data.label is not None and np.array_equal(content.array, data.label):
        data.isAutosaveSaved = True
        return
    data.autosaved, data.unknownStructures, data.autosaveTime = content.array, content.unknownStructures, time
    if content.label not in ("", data.labelVersion) and data.labelVersion not in ours:
        data.begunOn = content.label
        text = _("case {case} was labelled after this unsaved work was begun; Discard shows that label")
        data.warnings.append(text.format(case=data.caseId))


def _warnOfOtherImage(data: CaseData, paths: list[Path]) -> None:
    then = data.prediction.summary.image_hashes
    if isinstance(then, list) and (replaced := replaced_image(paths, data.imageHashes, then)):
        text = _("case {case}: {path} was replaced after it was predicted; predict it again with Train")
        data.warnings.append(text.format(case=data.caseId, path=replaced))


def windowOf(array: np.ndarray) -> tuple[float, float]:
    """The values to show as black and white, from a sample of the voxels."""
    step = max(1, round((array.size / _SAMPLE) ** (1 / 3)))
    sample = array[tuple(slice(min(step // 2, n - 1), None, min(step, n)) for n in array.shape)].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(sample, _PERCENTILES))
    if high <= low:
        low, high = float(sample.min()), float(sample.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _channels(project: Project, caseId: str, paths: list[Path], read: list) -> tuple[list[Channel], Geometry]:
    geometry, arrays = read[0][1], []
    for path, (volumes, own) in zip(paths, read):
        if difference := geometry.difference(own):
            raise ImageError(f"case {caseId}: {path} is not on the grid of {paths[0]}: {difference}; resample it first")
        arrays += volumes
    names = project.channels if len(project.channels) == len(arrays) else range(1, len(arrays) + 1)
    return [Channel(str(name), each, windowOf(each)) for name, each in zip(names, arrays)], geometry


def _maps(found: tuple[Round, PredictionPaths] | None) -> tuple[Path, ...]:
    return () if found is None else (found[1].segmentation, found[1].regions)


def _prediction(found: tuple[Round, PredictionPaths], maps: list, geometry: Geometry, caseId: str) -> Prediction:
    source, paths = found
    segmentation, regions = (onGrid(read, geometry, path, caseId) for read, path in zip(maps, _maps(found)))
    summary = read_summary(paths.summary, caseId)
    return Prediction(source.number, segmentation, regions, summary, paths, summary.error_rates)


def onGrid(read: tuple[np.ndarray, Geometry], geometry: Geometry, path: Path, caseId: str) -> np.ndarray:
    """The array that was read of `path`. LabelError when it is not on the image's grid."""
    array, own = read
    if difference := geometry.difference(own):
        raise LabelError(f"case {caseId}: {path} is not on the image's grid: {difference}")
    return array


def _tried(data: CaseData, read: Callable[[], Any]) -> Any:
    """What `read` gives; None, and a warning, when it cannot be used."""
    try:
        return read()
    except MetaSSLError as error:
        data.warnings.append(_("{error}; it is not shown").format(error=error))
        return None


def heatMapPath(data: CaseData, kind: str) -> Path:
    """The file of a predicted case. There is no P(error) where the round could not learn it."""
    paths = data.prediction.paths
    return paths.uncertainty if kind == UNCERTAINTY else paths.error_probability


def readHeatMap(data: CaseData, kind: str) -> np.ndarray:
    """float32 (z, y, x), 0..1. MetaSSLError when it is damaged or not on the image's grid. May run in a thread."""
    path = heatMapPath(data, kind)
    return onGrid(read_unit_map(path, data.caseId), data.geometry, path, data.caseId)


def mostTellingMap(data: CaseData) -> HeatMap | None:
    """P(error) where it was learnt, else the uncertainty; None where neither can be read. May run in a thread."""
    found, data.heat = data.heat, None
    if found is not None:
        return found
    for kind in (ERROR_PROBABILITY, UNCERTAINTY):
        try:
            if heatMapPath(data, kind).exists():
                return kind, readHeatMap(data, kind)
        except MetaSSLError:
            pass  # it is told of where it is asked for
    return None
