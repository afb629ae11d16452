"""What cases a folder holds: a Decathlon or nnU-Net data set, image files, or DICOM series."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json
from metassl.imaging import dicom
from metassl.imaging.images import IMAGE_SUFFIXES
from metassl.imaging.label_tables import dataset_labels
from metassl.imaging.reader import quiet
from metassl.project.cases import key_of, make_case_id
from metassl.project.structures import LabelDefinition, check_labels

SPLIT_KEYS = ("train_order", "val", "test")
_CHANNEL = re.compile(r"(.+)_([0-9]{4})")


@dataclass
class FoundCase:
    """A case in a folder: one image path per channel file and, where there is one, its label."""

    id: str
    images: list[Path]
    label: Path | None = None


@dataclass
class Discovery:
    """What `find_cases` found. `split` holds lists of ids: train_order, val, test. `ignored`: values of voxels that
    nobody annotated, in the labels of the data set. `left_out`: what is no case, each a sentence with the reason."""

    cases: list[FoundCase]
    labels: list[LabelDefinition]
    channels: list[str]
    split: dict[str, list[str]] | None = None
    name: str = field(default="")
    ignored: list[int] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def find_cases(folder: Path, tick: Callable[[], None] = lambda: None) -> Discovery:
    """Look for cases in `folder`, without reading their voxels.

    With a dataset.json it is a Decathlon or nnU-Net folder (its optional splits.json is read,
    its test images are not); else the NIfTI, NRRD or MetaImage files in it are the cases; else
    each DICOM series below it is one, named after its folder and never after the patient.
    Files that end in _0000, _0001, ... are channels. `tick` is called again and again during a long
    search, which ends with what it raises. Raises ProjectError when the folder is missing, unreadable
    or empty, or when two cases would get the same id.
    """
    folder = Path(folder).expanduser()
    names = _names(folder)
    if "dataset.json" in names:
        found = _decathlon(folder)
    else:
        cases = _group(folder, names)
        left_out: list[str] = []
        if not cases:
            cases, left_out = _dicom_cases(folder, tick)
        count = max((len(case.images) for case in cases), default=1)
        channels = ["image"] if count == 1 else [f"channel {n}" for n in range(count)]
        found = Discovery(cases, [], channels, left_out=left_out)
    if not found.cases and found.left_out:
        raise ProjectError(f"no images that can be cases in {folder}: {'; '.join(found.left_out[:5])}")
    if not found.cases:
        raise ProjectError(
            f"no images in {folder}: expected {', '.join(IMAGE_SUFFIXES)} files, DICOM series, "
            "or a Decathlon folder with dataset.json"
        )
    _refuse_duplicates(found.cases)
    return found


def stem(path: Path) -> str:
    """The file name without its image suffix."""
    name = Path(path).name
    for suffix in IMAGE_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def image_files(folder: Path) -> dict[str, list[Path]]:
    """Image files by case id for a folder of images: {id: [one path per channel]}."""
    return {case.id: case.images for case in _group(folder, _names(folder))}


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder))
    except FileNotFoundError as error:
        raise ProjectError(f"there is no folder {folder}") from error
    except NotADirectoryError as error:
        raise ProjectError(f"{folder} is a file: give the folder that holds the images") from error
    except OSError as error:
        raise ProjectError(f"cannot read the folder {folder}: {error.strerror or error}") from error


def _group(folder: Path, names: Iterable[str]) -> list[FoundCase]:
    """Image files as cases; _0000 suffixes are channels only when every file has one."""
    files = [folder / name for name in names if _is_image(name) and (folder / name).is_file()]
    groups: dict[str, list[Path]] = {}
    for path in files:
        match = _CHANNEL.fullmatch(stem(path))
        if not match:
            break
        groups.setdefault(match[1], []).append(path)
    else:
        complete = all(
            [stem(path)[-4:] for path in paths] == [f"{n:04d}" for n in range(len(paths))] for paths in groups.values()
        )
        if complete:
            return [FoundCase(make_case_id(base), paths) for base, paths in groups.items()]
    return [FoundCase(make_case_id(stem(path)), [path]) for path in files]


def _is_image(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(IMAGE_SUFFIXES) and name[0] != "." and not lower.endswith(".seg.nrrd")


def _dicom_cases(folder: Path, tick: Callable[[], None]) -> tuple[list[FoundCase], list[str]]:
    """The series that can be cases, and a sentence for each other."""

    def is_slice(path: Path) -> bool:
        tick()
        return dicom.is_dicom_file(path)

    cases: list[FoundCase] = []
    left_out = []
    for root, folders, files in os.walk(folder):
        tick()
        folders[:] = sorted(name for name in folders if name[0] != ".")
        here = Path(root)
        if not any(is_slice(here / name) for name in sorted(files)):
            continue
        with quiet():
            described = dicom.describe_series(here)
        left_out += [note for each in described for note in each.notes]
        series = [each.files for each in described if not each.reason]
        parts = here.relative_to(folder).parts or (folder.resolve().name,)
        base = make_case_id("_".join(parts))
        if len(series) == 1:
            cases.append(FoundCase(base, [here]))
        else:  # one file stands for its series: the folder alone would be ambiguous
            cases += [FoundCase(f"{base}_{n}", [fs[0]]) for n, fs in enumerate(series, start=1)]
    return cases, left_out


def _decathlon(folder: Path) -> Discovery:
    description = folder / "dataset.json"
    content = read_json(description, "the description of the data set")
    try:
        described = dataset_labels(content["labels"])
    except (KeyError, ValueError) as error:
        raise ProjectError(f"{description} cannot be used: {error}") from error
    try:
        labels = check_labels(LabelDefinition(value, name) for value, name in described.names.items())
        names = content.get("modality") or content.get("channel_names") or {"0": "image"}
        channels = [str(names[key]) for key in sorted(names, key=int)]
        cases = [_entry(folder, entry) for entry in content.get("training") or []]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProjectError(f"{description} is not a Decathlon or nnU-Net description: {error!r}") from error
    if not cases:
        cases = _image_and_label_folders(folder)
    splits = folder / "splits.json"
    split = _splits(splits) if splits.is_file() else None
    return Discovery(cases, labels, channels, split, str(content.get("name", "")), described.ignored)


def _entry(folder: Path, entry: dict[str, str] | str) -> FoundCase:
    image, label = (entry, None) if isinstance(entry, str) else (entry["image"], entry.get("label"))
    path = folder / image
    images = [path]
    if not path.exists():
        channels = sorted(path.parent.glob(f"{stem(path)}_[0-9][0-9][0-9][0-9].*"))
        images = [channel for channel in channels if _is_image(channel.name)] or [path]
    base = stem(folder / label) if label else stem(path)
    return FoundCase(make_case_id(base), images, folder / label if label else None)


def _image_and_label_folders(folder: Path) -> list[FoundCase]:
    cases = _group(folder / "imagesTr", _names(folder / "imagesTr"))
    labels = {}
    if (folder / "labelsTr").is_dir():
        files = [folder / "labelsTr" / name for name in _names(folder / "labelsTr")]
        labels = {make_case_id(stem(path)): path for path in files if _is_image(path.name)}
    for case in cases:
        case.label = labels.get(case.id)
    return cases


def _splits(path: Path) -> dict[str, list[str]]:
    content = read_json(path, "the split of the data set")
    split: dict[str, list[str]] = {}
    seen: set[str] = set()
    for key in SPLIT_KEYS:
        ids = content.get(key, [])
        if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
            raise ProjectError(f"{path}: {key!r} is not a list of case ids")
        split[key] = [make_case_id(name) for name in ids]
        for name in split[key]:
            if name in seen:
                raise ProjectError(f"{path} names the case {name} twice")
            seen.add(name)
    return split


def _refuse_duplicates(cases: list[FoundCase]) -> None:
    seen: dict[str, FoundCase] = {}
    for case in cases:
        other = seen.setdefault(key_of(case.id), case)
        if other is not case:
            raise ProjectError(
                f"two cases would get the id {case.id}: {other.images[0]} and {case.images[0]}; rename one"
            )
