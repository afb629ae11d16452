"""What the process that trains a peer is asked, and what it answers: files in the folder of the job."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from metassl.files.json_files import read_json, write_json

PEERS = "nnunet", "monailabel"


@dataclass(frozen=True)
class TrainingJob:
    """One training for so many minutes, from the first step on, on the clock of `metassl.training.eta`.

    folder: of the job; nobody else writes there. peer: one of PEERS, the module that trains. raw: a data set as nnU-Net
    takes it, of the labelled cases alone. test: {name: its images, one a channel}; they are predicted when the shares
    `looks` of the time are spent, which does not count. schedule: see `nnunet.learning_rate`. model: the folder of a
    model of nnU-Net to begin with, "" for none.
    """

    folder: str
    peer: str
    raw: str
    test: dict[str, list[str]]
    minutes: float
    clock: str
    threads: int
    device: str
    seed: int
    looks: list[float] = field(default_factory=lambda: [1.0])
    schedule: str = "time"
    model: str = ""

    @property
    def path(self) -> Path:
        return Path(self.folder)

    @property
    def state_path(self) -> Path:
        """From which a training that was stopped goes on."""
        return self.path / "state.pt"

    @property
    def found_path(self) -> Path:
        """What came of it; there when all is done."""
        return self.path / "found.json"

    @property
    def lock_path(self) -> Path:
        """Held by the process that trains, so that no second one begins in its folder."""
        return self.path / ".lock"

    @property
    def log_path(self) -> Path:
        return self.path / "log.txt"

    def prediction(self, look: float, case: str) -> Path:
        """A segmentation, in the values of the data set."""
        return self.path / f"after_{look:g}" / f"{case}.nii.gz"

    def write(self) -> None:
        write_json(self.path / "job.json", asdict(self))

    @staticmethod
    def read(folder: Path) -> TrainingJob:
        content = read_json(folder / "job.json", "the job")
        return TrainingJob(**{name: content[name] for name in TrainingJob.__dataclass_fields__})

    def found(self) -> dict[str, Any] | None:
        """{"steps", "seconds", "parameters", "versions", "looks": [{"share", "seconds", "steps"}]}; None while there is
        no end.
        """
        return read_json(self.found_path, "the result") if self.found_path.exists() else None
