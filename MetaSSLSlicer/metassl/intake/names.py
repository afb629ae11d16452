"""What the names of files and folders say: which is an annotation, of which image, which channel."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

LABEL_WORDS = (
    "label", "labels", "labelmap", "seg", "segm", "segmentation", "segmentations", "mask", "masks", "roi", "gt",
    "groundtruth", "ground_truth", "truth", "annotation", "annotations", "anno", "annot", "manual", "contour",
    "contours",
)  # fmt: skip
LABEL_FOLDERS = {*LABEL_WORDS, "labelstr", "labelmaps", "labels_final", "segs", "target", "targets", "gts", "manuals"}
IMAGE_WORDS = ("image", "images", "img", "imgs", "scan", "scans", "volume", "volumes", "vol", "data", "raw", "input")
IMAGE_FOLDERS = {*IMAGE_WORDS, "imagestr", "ct", "mr", "mri", "pet", "inputs", "pictures"}
SPLIT_FOLDERS = {
    "train": "pool", "training": "pool", "tr": "pool",
    "val": "validation", "valid": "validation", "validation": "validation",
    "test": "test", "testing": "test", "ts": "test",
}  # fmt: skip

DERIVED_WORDS = (
    "pred", "preds", "predicted", "prediction", "predictions", "prob", "probs", "probability", "probabilities",
    "probseg", "softmax", "uncertainty", "inference",
)  # fmt: skip

_LABEL = "|".join(sorted(LABEL_WORDS, key=len, reverse=True))
_IMAGE = "|".join(sorted(IMAGE_WORDS, key=len, reverse=True))
_LABEL_END = re.compile(rf"(.+?)[-_. ]+({_LABEL})", re.IGNORECASE)
_LABEL_START = re.compile(rf"({_LABEL})[-_. ]*(.+)", re.IGNORECASE)
_LABEL_INSIDE = re.compile(rf"(.+?)[-_. ]+(?:{_LABEL})(?:[-_. ].+|[0-9]+)", re.IGNORECASE)
_DERIVED = re.compile(rf"(.+?)[-_. ]+(?:{'|'.join(DERIVED_WORDS)})[0-9]*", re.IGNORECASE)
_IMAGE_END = re.compile(rf"(.+?)[-_. ]+({_IMAGE})", re.IGNORECASE)
_IMAGE_START = re.compile(rf"({_IMAGE})[-_. ]*(.+)", re.IGNORECASE)
_CHANNEL = re.compile(r"(.+)_([0-9]{4})")


def label_of(name: str) -> str | None:
    """Of which image a label's name (without its suffix) speaks: "p1-label" and "seg_p1" of "p1", "seg" of ""."""
    if name.casefold() in LABEL_WORDS:
        return ""
    if match := _LABEL_END.fullmatch(name):
        return match[1]
    match = _LABEL_START.fullmatch(name)
    return match[2] if match and (not name[len(match[1])].isalpha()) else None


def labelled_inside(name: str) -> str | None:
    """Of which image a name with a label's word inside may speak: "p1_seg_JD" and "p1_mask2" of "p1"."""
    match = _LABEL_INSIDE.fullmatch(name)
    return match[1] if match else None


def targets_of(name: str) -> list[str]:
    """Of which images a file among labels may speak, the likeliest first."""
    return [each for each in (label_of(name), name, labelled_inside(name)) if each]


def derived_from(name: str) -> str | None:
    """Of which image a result of a program speaks by its name: "p1_pred" of "p1"."""
    match = _DERIVED.fullmatch(name)
    return match[1] if match else None


def bare(name: str) -> str:
    """An image's name without the words that only say that it is one: "image_p1" and "p1-img" become "p1"."""
    if match := _IMAGE_END.fullmatch(name):
        return match[1]
    match = _IMAGE_START.fullmatch(name)
    return match[2] if match and not name[len(match[1])].isalpha() else name


def key(name: str) -> str:
    """What an image and its label share."""
    return re.sub(r"[-_. ]+", "_", bare(unicodedata.normalize("NFC", name))).strip("_").casefold()


def channel_of(name: str) -> tuple[str, int] | None:
    """The case and the channel of a name such as "p1_0000"."""
    match = _CHANNEL.fullmatch(name)
    return (match[1], int(match[2])) if match else None


def without(name: str, *words: str) -> str:
    """The name without a leading or trailing word, such as that of its folder: ("BraTS1_t1", "BraTS1") → "t1"."""
    for word in words:
        if word and name.casefold().startswith(word.casefold()) and len(name) > len(word):
            name = name[len(word) :].lstrip("-_. ") or name
        elif word and name.casefold().endswith(word.casefold()) and len(name) > len(word):
            name = name[: -len(word)].rstrip("-_. ") or name
    return name


def is_one_of(name: str, words: Iterable[str]) -> bool:
    return name.casefold() in words
