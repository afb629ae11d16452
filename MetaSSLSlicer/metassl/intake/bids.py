"""BIDS: sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz, and dseg or mask files below derivatives/.

https://bids-specification.readthedocs.io
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from metassl.project.cases import make_case_id
from metassl.project.structures import LabelDefinition, check_labels

from .found import Discovery, FoundCase, LeftOut, with_common_channels
from .tree import Tree, stem

_ENTITY = re.compile(r"([a-zA-Z0-9]+)-([a-zA-Z0-9+]+)")
_LABELS = ("dseg", "mask")
_NOT_CASES = ("bold", "sbref", "dwi", "events", "probseg", "epi", "phasediff", "fieldmap")
_OF_THE_LABEL = {"space", "desc", "label", "atlas", "seg", "res", "den", "hemi"}


@dataclass(frozen=True)
class _Name:
    """A BIDS file name in parts."""

    name: str
    entities: dict[str, str]
    suffix: str

    @staticmethod
    def of(name: str) -> _Name | None:
        *parts, suffix = stem(name).split("_")
        found = [match for part in parts if (match := _ENTITY.fullmatch(part))]
        entities = {str(match[1]): str(match[2]) for match in found}
        return _Name(name, entities, suffix) if "sub" in entities and len(entities) == len(parts) else None


def find(tree: Tree) -> Discovery | None:
    """Each subject and session is a case; T1w, T2w, FLAIR ... are its channels."""
    if not (tree.has("dataset_description.json") or any(f.split("/")[0].startswith("sub-") for f in tree.files)):
        return None
    found = Discovery([])
    raw, labels = _names(tree, found.left_out)
    if not raw:
        return None
    images, entities = _cases(tree, raw, found.left_out)
    found.channels, chosen = with_common_channels(images, found.left_out)
    found.cases = [FoundCase(case_id, paths) for case_id, paths in chosen.items()]
    for label in labels:
        _give(tree, found, label, [case for case in found.cases if _fits(label, entities[case.id])])
    found.labels = _structures(tree)
    return found


def _names(tree: Tree, left_out: LeftOut) -> tuple[list[_Name], list[_Name]]:
    """The images of the raw part, and the labels of the derivatives (or beside the images)."""
    raw, labels = [], []
    for name in tree.images():
        parts = _Name.of(name)
        if parts and parts.suffix in _LABELS:
            labels.append(parts)
        elif parts and not name.startswith("derivatives/") and parts.suffix not in _NOT_CASES:
            raw.append(parts)
        else:
            what = f"a BIDS {parts.suffix} file" if parts else "no BIDS name"
            left_out.append((tree.path(name), "a derivative, no raw image" if "derivatives/" in name else what))
    return raw, labels


def _cases(
    tree: Tree, raw: list[_Name], left_out: LeftOut
) -> tuple[dict[str, dict[str, Path]], dict[str, dict[str, str]]]:
    """Case → channel → file, and the entities of each case. Runs, where there are several, are cases of their own."""
    groups: dict[tuple[str, str], list[_Name]] = defaultdict(list)
    for name in raw:
        groups[name.entities["sub"], name.entities.get("ses", "")].append(name)
    images: dict[str, dict[str, Path]] = {}
    entities: dict[str, dict[str, str]] = {}
    for names in groups.values():
        suffixes = [name.suffix for name in names]
        for name in names:
            kept = {"sub", "ses"} if suffixes.count(name.suffix) == 1 else set(name.entities)
            own = {key: value for key, value in name.entities.items() if key in kept}
            case_id = make_case_id("_".join(f"{key}-{value}" for key, value in own.items()))
            if name.suffix in images.setdefault(case_id, {}):
                left_out.append((tree.path(name.name), f"another {name.suffix} image of {case_id}"))
                continue
            images[case_id][name.suffix] = tree.path(name.name)
            entities[case_id] = own
    return images, entities


def _fits(label: _Name, case: dict[str, str]) -> bool:
    own = {key: value for key, value in label.entities.items() if key not in _OF_THE_LABEL}
    return all(own.get(key) == value for key, value in case.items())


def _give(tree: Tree, found: Discovery, label: _Name, cases: list[FoundCase]) -> None:
    path, structure = tree.path(label.name), label.entities.get("label")
    if len(cases) != 1:
        found.left_out.append((path, "a label of no image here" if not cases else "a label that fits several images"))
    elif label.suffix == "mask" and structure and cases[0].label is None and structure not in cases[0].structures:
        cases[0].structures[structure] = path
    elif cases[0].has_label or (label.suffix == "mask" and not structure):
        why = f"another label of {cases[0].id}" if cases[0].has_label else "a mask that does not say of which structure"
        found.left_out.append((path, why))
    else:
        cases[0].label = path


def _structures(tree: Tree) -> list[LabelDefinition]:
    """What a dseg.tsv says: its columns index and name."""
    for name in sorted(tree.all(), key=lambda name: (name.count("/"), name)):
        if not name.endswith("dseg.tsv"):
            continue
        with open(tree.path(name), encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
        found = [(row.get("index") or "", row.get("name") or "") for row in rows]
        known = [LabelDefinition(int(index), text) for index, text in found if index.isdigit() and 0 < int(index) < 255]
        if known:
            return check_labels(known)
    return []
