"""One training in several processes, one a GPU, as torchrun starts them: each network pass is shared out.

Every process makes the same batch and the same draws, sends its own part of it through the network, and gets the
predictions of all. So the loss, its thresholds and its means over regions are those of the whole batch everywhere, and
what is added up at the end, the gradients of the parts, is the gradient of one process, up to rounding. That is why it
isn't torch's DistributedDataParallel: its mean of the losses of the parts is another loss.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

PATIENCE = timedelta(hours=6)
"""For the first process, which alone prepares the images and looks at the validation cases."""


@dataclass(frozen=True)
class Processes:
    """rank: which of `size` processes this is; the first, 0, alone writes and tells."""

    rank: int = 0
    size: int = 1

    @staticmethod
    def of_environment() -> Processes:
        """As torchrun says."""
        return Processes(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def take_gpu(self) -> None:
        """That of the process's number on its node is what "cuda" means from now on."""
        if self.size > 1 and torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))

    def begin(self, device_type: str) -> None:
        """Find each other; waits until all have come so far."""
        if self.size > 1:
            dist.init_process_group("nccl" if device_type == "cuda" else "gloo", timeout=PATIENCE)

    def end(self) -> None:
        """What follows is done by the first alone."""
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()

    def forward(self, network: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor) -> torch.Tensor:
        """`network(images)`, float32 (B, ...), of which this process computes its part of the B.

        The gradients that it leaves in the parameters are those of that part; see `add_up`.
        """
        if self.size == 1:
            return network(images).float()
        bounds = [len(images) * rank // self.size for rank in range(self.size + 1)]
        start, stop = bounds[self.rank], bounds[self.rank + 1]
        computed = network(images[start : max(stop, start + 1)] if start < len(images) else images[:1]).float()
        if len(computed) != max(stop - start, 1):
            raise ValueError("this network gives more than a prediction of each patch: set in_parts = False")
        full: torch.Tensor = _Whole.apply(computed[: stop - start], start, len(images))
        return full

    @torch.no_grad()
    def add_up(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Make the gradients of the parts, in every process, that of the whole."""
        if self.size == 1:
            return
        own = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in own:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in own if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def of_the_first(self, *numbers: int) -> list[int]:
        """The numbers that the first process has; waits for it."""
        if self.size == 1:
            return list(numbers)
        told = torch.tensor(numbers, device="cuda" if dist.get_backend() == "nccl" else "cpu")
        dist.broadcast(told, 0)
        return told.tolist()


class _Whole(torch.autograd.Function):
    """The parts of all processes, one after the other."""

    @staticmethod
    def forward(ctx: Any, part: torch.Tensor, start: int, length: int) -> torch.Tensor:
        ctx.bounds = start, start + len(part)
        whole = part.new_zeros(length, *part.shape[1:])
        whole[start : start + len(part)] = part
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        start, stop = ctx.bounds
        return gradients[0][start:stop], None, None


ALONE = Processes()
