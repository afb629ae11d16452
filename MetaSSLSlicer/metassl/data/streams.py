"""Two streams of patches, labelled and unlabelled. A batch is a pure function of the seed and the step."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch

from metassl.data.augment import Augmentation, random_view
from metassl.data.plan import Plan

FOREGROUND_SHARE = 0.5  # of the labelled patches are centred on an annotated structure
REMEMBERED_VOXELS = 2000  # per class and case, as centres


Array = np.ndarray | Callable[[], np.ndarray]


class PreparedCase:
    """A case on the plan's grid: image (C, z, y, x) and label (z, y, x) class numbers with IGNORE, or None.

    Either is an array, or a function that gives it: called whenever it is looked at, as thousands cannot all be open.
    """

    def __init__(self, id: str, image: Array, label: Array | None = None):
        self.id, self._image, self._label = id, image, label

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
    """Images (B, C, z, y, x) float32, annotation (B, z, y, x) int64 with IGNORE; case names for messages."""

    labelled: torch.Tensor
    annotation: torch.Tensor
    unlabelled: torch.Tensor
    labelled_cases: list[str]
    unlabelled_cases: list[str]

    def to(self, device: torch.device) -> Batch:
        tensors = {name: getattr(self, name).to(device) for name in ("labelled", "annotation", "unlabelled")}
        return replace(self, **tensors)


class PatchSampler:
    """Draws the batch of any step; without unlabelled cases the labelled ones serve as both."""

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

    def batch(self, step: int) -> Batch:
        rng = np.random.default_rng([self.seed, step])
        count_labelled, count_unlabelled = self.plan.batch
        labelled = [self._labelled_view(rng) for _ in range(count_labelled)]
        unlabelled = [self._unlabelled_view(rng) for _ in range(count_unlabelled)]
        return Batch(
            torch.stack([view for _, view, _ in labelled]),
            torch.stack([label for _, _, label in labelled]),
            torch.stack([view for _, view in unlabelled]),
            [name for name, _, _ in labelled],
            [name for name, _ in unlabelled],
        )

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

    def _labelled_view(self, rng: np.random.Generator) -> tuple[str, torch.Tensor, torch.Tensor]:
        index = int(rng.integers(len(self.labelled)))
        case, centres = self.labelled[index], self._centres[index]
        focus = None
        if centres and rng.random() < FOREGROUND_SHARE:
            voxels = centres[int(rng.integers(len(centres)))]
            focus = voxels[int(rng.integers(len(voxels)))]
        view, label = self._view(case, rng, focus)
        if label is None:
            raise ValueError(f"case {case.id} has no label to learn from")
        return case.id, view, label

    def _unlabelled_view(self, rng: np.random.Generator) -> tuple[str, torch.Tensor]:
        case = self.unlabelled[int(rng.integers(len(self.unlabelled)))]
        view, _ = self._view(case.without_label(), rng, None)
        return case.id, view

    def _view(
        self, case: PreparedCase, rng: np.random.Generator, focus: np.ndarray | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        image = case.image
        shape, patch = np.asarray(image.shape[1:]), np.asarray(self.plan.patch_zyx)
        free = np.maximum(shape - patch, 0)
        start = rng.uniform(0, 1, 3) * free if focus is None else np.clip(focus - patch / 2, 0, free)
        centre = np.where(free > 0, start + (patch - 1) / 2, (shape - 1) / 2)
        plan = self.plan
        return random_view(image, case.label, centre, plan.patch_zyx, plan.spacing_zyx, self.augmentation, rng)


class Prefetcher:
    """Makes batches ahead, several at once in threads, and measures how long the training step waits for them."""

    def __init__(self, make: Callable[[int], Batch], start: int, ahead: int = 4, threads: int = 4):
        self._make, self._next = make, start
        self._pool = ThreadPoolExecutor(threads, "metassl-batches")
        self._coming: deque[Future] = deque()
        self.waited = 0.0
        for _ in range(ahead):
            self._begin_one()

    def _begin_one(self) -> None:
        self._coming.append(self._pool.submit(self._make, self._next))
        self._next += 1

    def get(self) -> Batch:
        """The batch of the next step; raises what making it raised."""
        self._begin_one()
        begin = time.perf_counter()
        try:
            batch: Batch = self._coming.popleft().result()
            return batch
        finally:
            self.waited += time.perf_counter() - begin

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


class OnDemand:
    """Makes every batch when it is asked for.

    On a CPU a thread beside the training step would compete for its cores: measured on two of them, making batches
    ahead, which is a sixth of the work, made the step 1.9 times as long.
    """

    def __init__(self, make: Callable[[int], Batch], start: int):
        self._make, self._next = make, start
        self.waited = 0.0

    def get(self) -> Batch:
        begin = time.perf_counter()
        batch = self._make(self._next)
        self._next += 1
        self.waited += time.perf_counter() - begin
        return batch

    def close(self) -> None:
        """Nothing runs."""
