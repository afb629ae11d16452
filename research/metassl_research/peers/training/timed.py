"""A training that ends when its time is spent, goes on where it was stopped, and is looked at on the way."""

from __future__ import annotations

import signal
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import torch
from metassl.files.atomic import make_folder
from metassl.files.json_files import write_json
from metassl.networks.checkpoint import load_checkpoint, save_checkpoint
from metassl.training.eta import clock

from metassl_research.peers.training.job import TrainingJob

SAVED_SECONDS = 60.0
STOPPED = 3  # exit code


class Peer(Protocol):
    """What is trained. packages: whose versions are told."""

    network: torch.nn.Module
    packages: tuple[str, ...]

    def step(self, number: int, spent: float) -> None:
        """One step of the training, when the share `spent` of the time has passed."""

    def state(self) -> dict[str, Any]: ...

    def load(self, state: dict[str, Any]) -> None: ...

    def predict(self, images: list[Path], path: Path) -> None:
        """Write the segmentation of a case, one image a channel, as a NIfTI file on its grid."""

    def finish(self) -> None:
        """Leave the trained model in the form that is the peer's own."""


class Training:
    """job, peer: what is trained, and how long. Predicting and saving take nothing of the minutes."""

    def __init__(self, job: TrainingJob, peer: Peer) -> None:
        self.job, self.peer = job, peer
        self.clock = clock(job.clock, job.threads)
        self.steps, self.before, self.looks = 0, 0.0, list[dict[str, float]]()
        self.stop_requested = False
        if job.state_path.exists():
            state = load_checkpoint(job.state_path, steps=int, elapsed=(int, float), looks=list, peer=dict)
            self.steps, self.before, self.looks = state["steps"], state["elapsed"], state["looks"]
            peer.load(state["peer"])
        self.started, self.saved = self.clock(), time.monotonic()

    @property
    def elapsed(self) -> float:
        return self.before + self.clock() - self.started

    def run(self) -> bool:
        """Whether it came to its end; False after a stop, the state being saved."""
        seconds = 60 * self.job.minutes
        for share in sorted(self.job.looks):
            while (elapsed := self.elapsed) < share * seconds:
                if self.stop_requested:
                    self.save()
                    return False
                self.peer.step(self.steps, elapsed / seconds)
                self.steps += 1
                if time.monotonic() - self.saved > SAVED_SECONDS:
                    self.save()
            if share not in [look["share"] for look in self.looks]:
                self._look(share)
        return True

    def save(self) -> None:
        elapsed = self.elapsed
        kept = {"steps": self.steps, "elapsed": elapsed, "looks": self.looks, "peer": self.peer.state()}
        save_checkpoint(self.job.state_path, kept)
        self._go_on_from(elapsed)
        self.saved = time.monotonic()

    def _look(self, share: float) -> None:
        elapsed = self.elapsed
        self.save()  # killed while it predicts, it predicts again with the same weights
        print(f"after {elapsed:.1f} s and {self.steps} steps: predicting", flush=True)
        for case, images in self.job.test.items():
            path = self.job.prediction(share, case)
            make_folder(path.parent)
            self.peer.predict([Path(image) for image in images], path)
        self.looks.append({"share": share, "seconds": round(elapsed, 1), "steps": self.steps})
        self._go_on_from(elapsed)
        if share < 1:
            self.save()

    def _go_on_from(self, elapsed: float) -> None:
        """What has passed since takes nothing of the minutes."""
        self.before, self.started = elapsed, self.clock()


def train(job: TrainingJob, peer: Peer) -> None:
    """Train to the end and say what came of it; exit code STOPPED when a stop was asked for before."""
    torch.set_num_threads(job.threads)
    training = Training(job, peer)
    for name in ("SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), lambda *_: setattr(training, "stop_requested", True))
    if not training.run():
        sys.exit(STOPPED)
    peer.finish()
    found = {
        "steps": training.steps,
        "seconds": training.looks[-1]["seconds"],
        "parameters": sum(weights.numel() for weights in peer.network.parameters()),
        "versions": {name: _version(name) for name in (*peer.packages, "torch")},
        "looks": training.looks,
    }
    write_json(job.found_path, found)
    job.state_path.unlink(missing_ok=True)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
