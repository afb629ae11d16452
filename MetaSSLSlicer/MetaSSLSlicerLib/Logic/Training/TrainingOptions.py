"""What the user chose for a training."""

from __future__ import annotations

from dataclasses import dataclass

from metassl.choices.frameworks import FRAMEWORKS, LOSSES

__all__ = ["ACCURATE_MINUTES", "DEVICES", "FAST_MINUTES", "FRAMEWORKS", "LOSSES", "TrainingOptions"]

FAST_MINUTES = 4.0
ACCURATE_MINUTES = 15.0

DEVICES = ("auto", "cuda", "mps", "cpu")


@dataclass(frozen=True)
class TrainingOptions:
    """How long, by which method, on what. `newRound`: begin anew although the last round could go on.

    `iterations`, when it is not 0, counts steps instead of minutes.
    """

    minutes: float = FAST_MINUTES
    framework: str = "cps"
    loss: str = "metassl"
    device: str = "auto"
    newRound: bool = False
    iterations: int = 0

    def arguments(self) -> list[str]:
        """As `metassl train` takes them."""
        length = ["--iterations", str(self.iterations)] if self.iterations else ["--minutes", f"{self.minutes:g}"]
        chosen = [*length, "--framework", self.framework, "--loss", self.loss, "--device", self.device]
        return [*chosen, "--new-round"] if self.newRound else chosen
