"""Batches one after the other: made when they are asked for, or ahead, or ahead and on the GPU."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

import torch

from metassl.data.streams import Batch, PatchSampler


class Batches(Protocol):
    @property
    def waited(self) -> float:
        """The seconds so far in which the training step had to wait for its batch."""

    def get(self) -> Batch:
        """The batch of the next step; raises what making it raised."""

    def close(self) -> None:
        """No further one is made."""


def batches_for(device: torch.device, sampler: PatchSampler, start: int) -> Batches:
    """From step `start` on, in the way that suits the device."""
    if device.type == "cpu":
        return OnDemand(sampler.batch, start)
    if device.type == "cuda":
        return BesideTheStep(Prefetcher(partial(sampler.cuts, pinned=True), start), device)
    return Prefetcher(sampler.batch, start)  # MPS has no trilinear sampling in all versions of torch


class Prefetcher:
    """Makes batches ahead, several at once in threads, and measures how long the training step waits for them."""

    def __init__(self, make: Callable[[int], Any], start: int, ahead: int = 4, threads: int = 4):
        self._make, self._next = make, start
        self._pool = ThreadPoolExecutor(threads, "metassl-batches")
        self._coming: deque[Future] = deque()
        self.waited = 0.0
        for _ in range(ahead):
            self._begin_one()

    def _begin_one(self) -> None:
        self._coming.append(self._pool.submit(self._make, self._next))
        self._next += 1

    @property
    def is_ready(self) -> bool:
        """Whether `get` would not wait."""
        return self._coming[0].done()

    def get(self) -> Any:
        """What was made for the next step; raises what making it raised."""
        self._begin_one()
        begin = time.perf_counter()
        try:
            return self._coming.popleft().result()
        finally:
            self.waited += time.perf_counter() - begin

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


class BesideTheStep:
    """Makes batches of cuts on a CUDA device, on a queue of their own: one while the step before it is computed."""

    def __init__(self, cuts: Prefetcher, device: torch.device):
        self._cuts, self._device = cuts, device
        self._queue = torch.cuda.Stream(device)
        self._coming: Batch | None = None

    @property
    def waited(self) -> float:
        return self._cuts.waited

    def get(self) -> Batch:
        batch = self._coming or self._begin()
        step = torch.cuda.current_stream(self._device)
        step.wait_stream(self._queue)
        for tensor in batch.tensors:
            tensor.record_stream(step)  # else its memory is given away as soon as this queue is done with it
        self._coming = self._begin() if self._cuts.is_ready else None
        return batch

    def _begin(self) -> Batch:
        with torch.cuda.stream(self._queue):
            batch: Batch = self._cuts.get().to(self._device)
        return batch

    def close(self) -> None:
        self._cuts.close()
        self._coming = None


class OnDemand:
    """Makes every batch when it is asked for.

    On a CPU a thread beside the training step would compete for its cores: measured on two of them, making batches
    ahead, which is a sixth of the work, made the step 1.9 times as long.
    """

    def __init__(self, make: Callable[[int], Any], start: int):
        self._make, self._next = make, start
        self.waited = 0.0

    def get(self) -> Any:
        begin = time.perf_counter()
        batch = self._make(self._next)
        self._next += 1
        self.waited += time.perf_counter() - begin
        return batch

    def close(self) -> None:
        """Nothing runs."""
