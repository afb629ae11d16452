"""A data set that nnU-Net v2 trains on: DatasetNNN_NAME with images, labels, dataset.json and the split of the project.

The format: https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from metassl.files.atomic import make_folder, write_text
from metassl.files.errors import ImageError, LabelError, ProjectError
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import IGNORE, read_image
from metassl.imaging.volumes import resampled
from metassl.imaging.writer import write_array
from metassl.project.cases import ASIDE, Case, key_of
from metassl.project.words import count

from .export import Export
from .tables import write_table

ENDING = ".nii.gz"
_NUMBER = 501
"""Of a data set whose folder the user gave no such name. nnU-Net's own have the numbers below."""

_DATA_SET = re.compile(r"Dataset\d{3}_[A-Za-z0-9_-]+")
_TAKEN = ("background", "ignore")


def write(export: Export) -> None:
    """imagesTr and labelsTr of the labelled cases, imagesTs of the others, dataset.json, splits_final.json, cases.csv.

    A folder that the user named as nnU-Net does (Dataset501_Liver) is the data set itself, else it holds one.
    """
    target = export.result.folder.name
    name = target if _DATA_SET.fullmatch(target) else f"Dataset{_NUMBER}_{plain_name(export.project.name)}"
    data_set = _DataSet(export, export.folder if name == target else make_folder(export.folder / name))
    aside = [case.id for case in export.chosen if case.split == ASIDE]
    if aside:
        export.result.notes.append(f"{count(len(aside), 'label')} of cases that were set aside: left out")
    for case in export.cases(data_set.cases):
        with export.attempt(case.id):
            data_set.add(case)
    data_set.describe()
    others = sum(row["images"] == "imagesTs" for row in data_set.rows)
    export.result.made = f"{name} with {count(others, 'image')} in imagesTs" if others else name


class _DataSet:
    """rows: what cases.csv says of each case that was written."""

    def __init__(self, export: Export, folder: Path) -> None:
        self.export, self.project, self.folder = export, export.project, folder
        self.cases = [case for case in export.all_cases.values() if case.split != ASIDE]
        self.names = plain_names(case.id for case in self.cases)
        self.rows: list[dict[str, str]] = []
        self.ignore = len(self.project.labels) + 1
        self._ignores = False

    def add(self, case: Case) -> None:
        """Write the images of a case and, where it has one, its label. Nothing is written unless all can be read."""
        channels, grid = self._images(case)
        is_known = case.id in self.export.labelled and not case.unseen  # what nobody looked at is not to be learnt from
        label = self._label(case, grid) if is_known else None
        part = "Tr" if label is not None and case.split != "test" else "Ts"
        name = self.names[case.id]
        images = make_folder(self.folder / f"images{part}")
        for number, channel in enumerate(channels):
            write_array(images / f"{name}_{number:04d}{ENDING}", channel, grid)
        if label is not None:
            write_array(make_folder(self.folder / f"labels{part}") / f"{name}{ENDING}", label, grid)
            self.export.result.labels.append(case.id)
        row = {"case": case.id, "name": name, "images": images.name, "split": case.split}
        known = case.label_version or "" if label is not None else ""
        told = (case.state, case.annotator, case.annotated, known[:16]) if known else ("", "", "", "")
        self.rows.append({**row, **dict(zip(("state", "annotator", "annotated", "label_version"), told))})

    def describe(self) -> None:
        """Write dataset.json, the table of the names and, where the project measures on some cases, the split."""
        training = [row for row in self.rows if row["images"] == "imagesTr"]
        if not training:
            if self.export.result.failed:
                return  # which is told
            raise ProjectError("no case to train or to measure on has a label: nnU-Net needs one")
        structures = {self._class_name(label.name): place for place, label in enumerate(self.project.labels, start=1)}
        ignore = {"ignore": self.ignore} if self._ignores else {}
        content = {
            "name": self.project.name,
            "channel_names": {str(number): name for number, name in enumerate(self.project.channels)},
            "labels": {"background": 0, **structures, **ignore},
            "numTraining": len(training),
            "file_ending": ENDING,
        }
        _write_json(self.folder / "dataset.json", content)
        write_table(self.folder / "cases.csv", self.rows)
        split = {
            "train": [row["name"] for row in training if row["split"] != "validation"],
            "val": [row["name"] for row in training if row["split"] == "validation"],
        }
        if all(split.values()):
            _write_json(self.folder / "splits_final.json", [split])

    def _images(self, case: Case) -> tuple[list[np.ndarray], Geometry]:
        """All channels on the grid of the first."""
        channels: list[np.ndarray] = []
        grid = None
        for path in self.project.image_paths(case):
            image = read_image([path], case.id)
            grid = grid or image.geometry
            difference = grid.difference(image.geometry)
            for channel in image.array:
                if difference:
                    channel = sitk.GetArrayFromImage(resampled(channel, image.geometry, grid))
                channels.append(_compact(channel))
            if difference:
                self.export.result.notes.append(f"case {case.id}: {path}: resampled onto the grid of the first channel")
        if grid is None or len(channels) != len(self.project.channels):
            expected = count(len(self.project.channels), "channel")
            raise ImageError(
                f"case {case.id}: its images hold {count(len(channels), 'channel')}, and the project has {expected}"
            )
        return channels, grid

    def _label(self, case: Case, grid: Geometry) -> np.ndarray:
        """The label with nnU-Net's values: consecutive ones, the highest where nothing is known."""
        array, own = self.export.label(case.id)
        if difference := own.difference(grid):
            raise LabelError(f"case {case.id}: its label is not on the grid of its image any more: {difference}")
        table = np.zeros(256, np.uint8)
        for place, label in enumerate(self.project.labels, start=1):
            table[label.value] = place
        table[IGNORE] = self.ignore
        if missing := self.export.unknown_in(case):
            table[0] = self.ignore
            note = f"its label says nothing of {missing}, which its background may hold: nnU-Net is to ignore that"
            self.export.result.notes.append(f"case {case.id}: {note}")
        found: np.ndarray = table[array]
        self._ignores = self._ignores or bool((found == self.ignore).any())
        return found

    def _class_name(self, name: str) -> str:
        return f"{name} (structure)" if name.casefold() in _TAKEN else name


def plain_name(text: str) -> str:
    """The text in letters, digits, hyphens and underscores, without accents; "case" where nothing is left."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9-]+", "_", letters).strip("_-") or "case"


def plain_names(ids: Iterable[str]) -> dict[str, str]:
    """{id: its plain name}, no two alike, also where capitals do not count."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for case in ids:
        plain = name = plain_name(case)
        number = 2
        while key_of(name) in taken:
            name, number = f"{plain}_{number}", number + 1
        taken.add(key_of(name))
        names[case] = name
    return names


def _write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _compact(channel: np.ndarray) -> np.ndarray:
    """The same numbers as 16-bit ones where they are such."""
    if channel.min() < -(1 << 15) or channel.max() >= 1 << 15:
        return channel
    whole = channel.astype(np.int16)
    return whole if np.array_equal(whole, channel) else channel
