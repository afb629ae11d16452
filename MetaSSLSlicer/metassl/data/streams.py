"""Two streams of patches, labelled and unlabelled. A batch is a pure function of the seed and the step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import torch

from metassl.data.augment import Augmentation, random_view
from metassl.data.cut import Cut, random_cut
from metassl.data.plan import Plan
from metassl.files.errors import MetaSSLError
from metassl.method.regions import IGNORE_LABEL
from metassl.method.supervised import merge_missing

FOREGROUND_SHARE = 0.5  # of the labelled patches are centred on an annotated structure
REMEMBERED_VOXELS = 2000  # per class and case, as centres


Array = np.ndarray | Callable[[], np.ndarray]
Made = TypeVar("Made")


class PreparedCase:
    """A case on the plan's grid: image (C, z, y, x) and label (z, y, x) class numbers with IGNORE, or None.

    Either is an array, or a function that gives it: called whenever it is looked at, as thousands cannot all be open.
    `missing`: the classes that the label says nothing about; its background may be any of them. `is_partial`: a part of
    the image alone is annotated.
    """

    def __init__(
        self, id: str, image: Array, label: Array | None = None, missing: Sequence[int] = (), is_partial: bool = False
    ):
        self.id, self._image, self._label, self.missing = id, image, label, tuple(missing)
        self.is_partial = is_partial

    @property
    def image(self) -> np.ndarray:
        return self._image() if callable(self._image) else self._image

    @property
    def label(self) -> np.ndarray | None:
        return self._label() if callable(self._label) else self._label

    def without_label(self) -> PreparedCase:
        return PreparedCase(self.id, self._image)


@dataclass
class Batch:
    """Images (B, C, z, y, x) float32, annotation (B, z, y, x) int64 with IGNORE; case names for messages.

    missing: bool (B, K, 1, 1, 1) or (B, K, z, y, x), the classes that the annotation says nothing about (there), see
    `merge_missing`; None where it speaks about all.
    """

    labelled: torch.Tensor
    annotation: torch.Tensor
    unlabelled: torch.Tensor
    labelled_cases: list[str]
    unlabelled_cases: list[str]
    missing: torch.Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        tensors = {name: getattr(self, name).to(device) for name in ("labelled", "annotation", "unlabelled")}
        return replace(self, missing=None if self.missing is None else self.missing.to(device), **tensors)

    @property
    def tensors(self) -> list[torch.Tensor]:
        found = (self.labelled, self.annotation, self.unlabelled, self.missing)
        return [tensor for tensor in found if tensor is not None]

    def as_annotated(self, logits: torch.Tensor) -> torch.Tensor:
        """`merge_missing` of the labelled patches, which come first; those that follow stay as they are."""
        if self.missing is None:
            return logits
        count = len(self.annotation)
        return torch.cat([merge_missing(logits[:count], self.missing), logits[count:]])


@dataclass
class Cuts:
    """What a batch is made of on a GPU; the fields are those of a batch."""

    labelled: list[Cut]
    unlabelled: list[Cut]
    labelled_cases: list[str]
    unlabelled_cases: list[str]
    missing: torch.Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Made there, without waiting for it where the cuts are pinned."""
        labelled = [_with_label(*each.made_on(device)) for each in self.labelled]
        return Batch(
            torch.stack([view for view, _ in labelled]),
            torch.stack([label for _, label in labelled]),
            torch.stack([each.made_on(device)[0] for each in self.unlabelled]),
            self.labelled_cases,
            self.unlabelled_cases,
            None if self.missing is None else self.missing.to(device, non_blocking=True),
        )


def _with_label(view: torch.Tensor, label: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    if label is None:
        raise ValueError("a labelled case has no label to learn from")
    return view, label


class PatchSampler:
    """Draws the batch of any step; without unlabelled cases the labelled ones serve as both.

    A partly annotated case is drawn as often as its annotated share of the image says, and every patch of it is centred
    on an annotated voxel.
    """

    def __init__(
        self,
        plan: Plan,
        labelled: list[PreparedCase],
        unlabelled: list[PreparedCase],
        seed: int,
        augmentation: Augmentation,
    ):
        if not labelled:
            raise ValueError("training needs at least one labelled case")
        self.plan, self.seed, self.augmentation = plan, seed, augmentation
        self.labelled = labelled
        self.unlabelled = unlabelled or [case.without_label() for case in labelled]
        self._centres = [self._foreground_centres(case) for case in labelled]
        annotated = [self._annotated(case) for case in labelled]
        self._elsewhere = [voxels for voxels, _share in annotated]
        shares = np.array([share for _voxels, share in annotated])
        if not shares.any():
            raise MetaSSLError("nothing that is annotated is left on the grid of the plan: annotate thicker parts")
        self._until = None if (shares == 1).all() else np.cumsum(shares / shares.sum())

    def batch(self, step: int) -> Batch:
        labelled, unlabelled = self._drawn_for(step, random_view)
        views = [_with_label(*made) for _case, made in labelled]
        return Batch(
            torch.stack([view for view, _ in views]),
            torch.stack([label for _, label in views]),
            torch.stack([view for _case, (view, _) in unlabelled]),
            [case.id for case, _ in labelled],
            [case.id for case, _ in unlabelled],
            self._missing([case for case, _ in labelled]),
        )

    def cuts(self, step: int, pinned: bool = False) -> Cuts:
        """The same for a GPU to make, with noise of its own; `pinned`: see `random_cut`."""
        labelled, unlabelled = self._drawn_for(step, partial(random_cut, pinned=pinned))
        missing = self._missing([case for case, _ in labelled])
        return Cuts(
            [made for _case, made in labelled],
            [made for _case, made in unlabelled],
            [case.id for case, _ in labelled],
            [case.id for case, _ in unlabelled],
            missing.pin_memory() if pinned and missing is not None else missing,
        )

    def _drawn_for(
        self, step: int, make: Callable[..., Made]
    ) -> tuple[list[tuple[PreparedCase, Made]], list[tuple[PreparedCase, Made]]]:
        """The labelled and the unlabelled cases of a batch, each with its view, by `random_view` or its like."""
        rng = np.random.default_rng([self.seed, step])
        count_labelled, count_unlabelled = self.plan.batch
        labelled = [self._labelled_view(rng, make) for _ in range(count_labelled)]
        return labelled, [self._unlabelled_view(rng, make) for _ in range(count_unlabelled)]

    def _missing(self, cases: list[PreparedCase]) -> torch.Tensor | None:
        if not any(case.missing for case in cases):
            return None
        missing = torch.zeros(len(cases), self.plan.classes, 1, 1, 1, dtype=torch.bool)
        for row, case in zip(missing, cases, strict=True):
            row[list(case.missing)] = True
        return missing

    def _foreground_centres(self, case: PreparedCase) -> list[np.ndarray]:
        rng = np.random.default_rng(self.seed)
        label = case.label
        centres: list[np.ndarray] = []
        if label is None:
            return centres
        for value in range(1, self.plan.classes):
            voxels = np.flatnonzero(label == value)
            if len(voxels):
                chosen = rng.choice(voxels, min(len(voxels), REMEMBERED_VOXELS), replace=False)
                centres.append(np.stack(np.unravel_index(chosen, label.shape), axis=1))
        return centres

    def _annotated(self, case: PreparedCase) -> tuple[np.ndarray | None, float]:
        """Of a partly annotated case: annotated voxels (n, 3), as centres, and their share of it. Else None, 1."""
        label = case.label if case.is_partial else None
        if label is None:
            return None, 1.0
        voxels = np.flatnonzero(label != IGNORE_LABEL)
        if not len(voxels):
            return None, 0.0  # too thin for the plan's grid: there is nothing to learn from
        rng = np.random.default_rng(self.seed)
        chosen = rng.choice(voxels, min(len(voxels), REMEMBERED_VOXELS), replace=False)
        return np.stack(np.unravel_index(chosen, label.shape), axis=1), len(voxels) / label.size

    def _drawn(self, rng: np.random.Generator) -> int:
        """Which labelled case."""
        if self._until is None:
            return int(rng.integers(len(self.labelled)))
        return min(int(np.searchsorted(self._until, rng.random(), side="right")), len(self.labelled) - 1)

    def _labelled_view(self, rng: np.random.Generator, make: Callable[..., Made]) -> tuple[PreparedCase, Made]:
        index = self._drawn(rng)
        case, centres, elsewhere = self.labelled[index], self._centres[index], self._elsewhere[index]
        focus = None if elsewhere is None else elsewhere[int(rng.integers(len(elsewhere)))]
        if centres and rng.random() < FOREGROUND_SHARE:
            voxels = centres[int(rng.integers(len(centres)))]
            focus = voxels[int(rng.integers(len(voxels)))]
        return case, self._view(case, rng, focus, make)

    def _unlabelled_view(self, rng: np.random.Generator, make: Callable[..., Made]) -> tuple[PreparedCase, Made]:
        case = self.unlabelled[int(rng.integers(len(self.unlabelled)))]
        return case, self._view(case.without_label(), rng, None, make)

    def _view(
        self, case: PreparedCase, rng: np.random.Generator, focus: np.ndarray | None, make: Callable[..., Made]
    ) -> Made:
        image = case.image
        shape, patch = np.asarray(image.shape[1:]), np.asarray(self.plan.patch_zyx)
        free = np.maximum(shape - patch, 0)
        start = rng.uniform(0, 1, 3) * free if focus is None else np.clip(focus - patch / 2, 0, free)
        centre = np.where(free > 0, start + (patch - 1) / 2, (shape - 1) / 2)
        plan = self.plan
        return make(image, case.label, centre, plan.patch_zyx, plan.spacing_zyx, self.augmentation, rng)
