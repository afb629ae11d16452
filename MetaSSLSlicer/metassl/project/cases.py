"""A case: one patient's image, which part it plays and how far its annotation has come."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timezone
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from metassl.files.errors import ProjectError
from metassl.imaging.images import IGNORE

from ..files.atomic import is_unicode
from .structures import LabelDefinition

STATES = (
    "unlabelled",
    "in_progress",
    "labelled",
    "predicted",
    "accepted",
    "corrected",
    "rejected",
)
LABELLED_STATES = ("labelled", "accepted", "corrected")
SPLITS = ("pool", "validation", "test")
ASIDE = "aside"
"""The split of a case that was taken out of the project: it takes part in nothing, and can come back."""

MAX_ID_BYTES = 120
MAX_PATH_BYTES, MAX_NAME_BYTES = 4096, 765
"""Of images. No system has longer ones: Windows and macOS count 255 characters in a name, of up to three bytes each."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?", re.IGNORECASE)
_VERSION = re.compile(r"[0-9a-f]{64}")


def now() -> str:
    """The present time, ISO 8601 in UTC with milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


@dataclass
class Case:
    """One case.

    `images`: one path per channel, relative to the project or absolute. `split`: "pool" (to train
    on), "validation" (measured, never trained on) or "test" (kept out altogether). `label_version`
    names the accepted annotation; `updated` is ISO 8601 in UTC; `seconds_spent` annotating; `dice`:
    of the prediction that was reviewed with the label that came of it, None before that; `image_hashes`: of the images
    when they were annotated, one per channel file, [] where that is not known; `former_split`: what a case that was
    set aside comes back to; `label_voxels`: voxels of its annotation by value, {} where that is not known; `coverage`:
    the values of the structures that its annotation speaks about, None for all that the project has; `annotator` and
    `annotated`: who made the accepted annotation, and when (ISO 8601 in UTC), "" where that is not known; `done`:
    somebody said that nothing more is to be annotated in it, though parts of it are not; `unseen`: its annotation is a
    prediction that was accepted with many others, which nobody looked at; `looked`: the slices across `review_axis`,
    from 0, that somebody looked at before all of a prediction became the annotation, None for all that there is to
    look at.
    """

    id: str
    images: list[str]
    split: str = "pool"
    state: str = "unlabelled"
    label_version: str | None = None
    updated: str = ""
    seconds_spent: float = 0.0
    dice: float | None = None
    image_hashes: list[str] = field(default_factory=list)
    former_split: str = ""
    label_voxels: dict[str, int] = field(default_factory=dict)
    coverage: list[int] | None = None
    annotator: str = ""
    annotated: str = ""
    done: bool = False
    unseen: bool = False
    looked: list[int] | None = None

    def __post_init__(self) -> None:
        check_case_id(self.id)
        texts = isinstance(self.images, list) and all(isinstance(path, str) for path in self.images)
        if not texts or not self.images or not all(self.images):
            raise ProjectError(f"case {self.id} needs a list of image paths")
        if not all(map(_can_be_path, self.images)):
            raise ProjectError(f"case {self.id} has an image path of characters or a length that no system knows")
        if self.split not in (*SPLITS, ASIDE):
            raise ProjectError(f"case {self.id} has the split {self.split!r}; use one of {', '.join(SPLITS)}")
        if self.state not in STATES:
            raise ProjectError(f"case {self.id} has the state {self.state!r}; use one of {', '.join(STATES)}")
        version = self.label_version
        if version is not None and not (isinstance(version, str) and _VERSION.fullmatch(version)):
            raise ProjectError(f"case {self.id} has a damaged label version {version!r}")
        spent = self.seconds_spent
        if isinstance(spent, bool) or not isinstance(spent, (int, float)) or not 0 <= spent < 1e9:
            raise ProjectError(f"case {self.id} has an impossible annotation time {spent!r}")
        dice = self.dice
        if dice is not None and (isinstance(dice, bool) or not isinstance(dice, (int, float)) or not 0 <= dice <= 1):
            raise ProjectError(f"case {self.id} has an impossible Dice {dice!r}")
        hashes = self.image_hashes
        if not isinstance(hashes, list) or not all(isinstance(h, str) and _VERSION.fullmatch(h) for h in hashes):
            raise ProjectError(f"case {self.id} has damaged image hashes")
        if self.former_split not in ("", *SPLITS):
            raise ProjectError(f"case {self.id} has the former split {self.former_split!r}")
        counts = self.label_voxels
        if not isinstance(counts, dict) or not all(
            str(key).isdigit() and type(n) is int and n >= 0 for key, n in counts.items()
        ):
            raise ProjectError(f"case {self.id} has damaged counts of its label's voxels")
        told = self.coverage
        if told is not None and not (isinstance(told, list) and all(type(v) is int and 1 <= v <= 254 for v in told)):
            raise ProjectError(f"case {self.id} has a damaged coverage {told!r}")
        for name in ("done", "unseen"):
            if type(getattr(self, name)) is not bool:
                raise ProjectError(f"case {self.id} is {name}: {getattr(self, name)!r}?")
        seen = self.looked
        if seen is not None and not (isinstance(seen, list) and all(type(n) is int and n >= 0 for n in seen)):
            raise ProjectError(f"case {self.id} has damaged numbers of the slices that were looked at: {seen!r}")
        if not all(isinstance(text, str) for text in (self.updated, self.annotated, self.annotator)):
            raise ProjectError(f"case {self.id} has a damaged time or annotator")

    @property
    def is_partial(self) -> bool:
        """True when a part of the image has an annotation, and nobody has said that the rest stays without one."""
        return self.is_labelled and not self.done and self.has_gaps

    @property
    def has_gaps(self) -> bool:
        """True when its annotation leaves voxels out; False where that is not known."""
        return self.label_voxels.get(str(IGNORE), 0) > 0

    def is_known_to(self, labels: Mapping[str, str]) -> bool:
        """True when its annotation is among the `labels` {case id: version} that a round learnt from."""
        return self.label_version is not None and labels.get(self.id) == self.label_version

    @property
    def is_done(self) -> bool:
        """True when the case has an annotation, and nothing more is to be annotated."""
        return self.is_labelled and not self.is_partial

    @property
    def is_labelled(self) -> bool:
        """True when the case has an accepted annotation."""
        return self.state in LABELLED_STATES and self.label_version is not None

    @property
    def is_reviewed(self) -> bool:
        """True when the case has an annotation that somebody made or looked at: one to learn from and to measure by."""
        return self.is_labelled and not self.unseen

    def annotated_by(
        self, annotator: str, voxels: Mapping[str, int], told: Iterable[int], looked: Iterable[int] | None = None
    ) -> Case:
        """The case with an annotation of now. told: the values it speaks about, besides those that it shows."""
        shown = {int(value) for value in voxels} - {0, 255}
        time = now()
        return replace(
            self,
            annotator=annotator,
            label_voxels=dict(voxels),
            coverage=sorted(shown.union(told)),
            annotated=time,
            updated=time,
            done=False,
            unseen=False,
            looked=None if looked is None else sorted(set(looked)),
        )

    def accepted_unseen(self, version: str, hashes: list[str], voxels: Mapping[str, int], told: Iterable[int]) -> Case:
        """The case with a prediction as its annotation, which nobody looked at; arguments as in `annotated_by`."""
        annotated = self.annotated_by("", voxels, told)
        return replace(annotated, state="accepted", label_version=version, image_hashes=hashes, unseen=True)

    def taken_back(self, state: str) -> Case:
        """The case as it was before its prediction was accepted unseen."""
        nothing = replace(self, state=state, label_version=None, image_hashes=[], label_voxels={}, coverage=None)
        return replace(nothing, annotated="", unseen=False, looked=None)

    def missing(self, values: Iterable[int]) -> list[int]:
        """Those of the structures' values that its annotation says nothing about."""
        return [] if self.coverage is None else [value for value in values if value and value not in self.coverage]

    def set_aside(self) -> Case:
        """The case as it takes part in nothing."""
        return self if self.split == ASIDE else replace(self, split=ASIDE, former_split=self.split)

    def brought_back(self) -> Case:
        """The case as it was before it was set aside."""
        return self if self.split != ASIDE else replace(self, split=self.former_split or "pool", former_split="")

    def as_done(self) -> Case:
        """The case with nothing more to annotate. ProjectError when nothing is annotated."""
        if not self.is_labelled:
            raise ProjectError(f"case {self.id} has no annotation yet: annotate some of it first")
        return replace(self, done=True) if self.is_partial else self

    def not_done(self) -> Case:
        """The case as it was before somebody said that it is done."""
        return replace(self, done=False)

    def to_json(self) -> dict[str, Any]:
        """The case as JSON writes it."""
        return {name: copy(value) if isinstance(value, (list, dict)) else value for name, value in vars(self).items()}

    @staticmethod
    def from_json(document: Any) -> Case:
        """The case of one entry in cases.json; unknown fields are left out. ProjectError."""
        if not isinstance(document, dict) or not {"id", "images"} <= document.keys():
            raise ProjectError("an entry lacks its id or its images")
        known = {each.name for each in fields(Case)}
        return Case(**{key: value for key, value in document.items() if key in known})


def known_case(cases: Mapping[str, Case], case_id: str, path: Path) -> Case:
    """The case of that id; ProjectError with the likely one when the project in `path` has none."""
    if case_id in cases:
        return cases[case_id]
    like = get_close_matches(case_id, cases)
    meant = f"; is it {' or '.join(like)}?" if like else ""
    raise ProjectError(f"project {path} has no case {case_id!r}{meant}")


def unseen_structures(labels: Iterable[LabelDefinition], cases: Iterable[Case]) -> list[str]:
    """The names of those that the annotation of none of the cases shows, and so cannot be learnt from them.

    [] where there are no cases, or older annotations were not counted.
    """
    counts = [case.label_voxels for case in cases]
    if not counts or not all(counts):
        return []
    return [label.name for label in labels if not any(count.get(str(label.value)) for count in counts)]


def _can_be_path(text: str) -> bool:
    if "\0" in text or not is_unicode(text) or len(text.encode("utf-8")) > MAX_PATH_BYTES:
        return False
    return all(len(name.encode("utf-8")) <= MAX_NAME_BYTES for name in text.replace("\\", "/").split("/"))


def key_of(case_id: str) -> str:
    """What two ids must not share: some systems take small and capital letters for the same."""
    return unicodedata.normalize("NFC", case_id.casefold())


def check_case_id(case_id: Any) -> str:
    """Return `case_id` if it can name files on every system and in every folder; ProjectError."""
    if not isinstance(case_id, str) or not case_id:
        raise ProjectError("a case needs an id that is text")
    reason = ""
    if any(not (character.isalnum() or character in "._- ") for character in case_id):
        reason = "use letters, digits, '.', '_', '-' and spaces"
    elif case_id[0] in ". " or case_id[-1] in ". ":
        reason = "it must not begin or end with a dot or a space"
    elif len(case_id.encode("utf-8")) > MAX_ID_BYTES:
        reason = f"it is longer than {MAX_ID_BYTES} bytes"
    elif _RESERVED.fullmatch(case_id):
        reason = "Windows reserves that name"
    if reason:
        raise ProjectError(f"the case id {case_id!r} cannot be used: {reason}")
    return case_id


def make_case_id(text: str) -> str:
    """The nearest usable case id to `text`, a file or folder name. ProjectError if there is none.

    "CT (1)" becomes "CT _1_"; letters keep their accents.
    """
    letters = unicodedata.normalize("NFC", text)
    clean = "".join(c if c.isalnum() or c in "._- " else "_" for c in letters).strip(". ")
    while len(clean.encode("utf-8")) > MAX_ID_BYTES:
        clean = clean[:-1]
    if _RESERVED.fullmatch(clean):
        clean = f"case_{clean}"
    if not clean.strip(". "):
        raise ProjectError(f"the name {text!r} gives no case id: it needs a letter or a digit")
    return check_case_id(clean.strip(". "))
