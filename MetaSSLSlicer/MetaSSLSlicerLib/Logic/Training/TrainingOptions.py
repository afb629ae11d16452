"""What the user chose for a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from metassl.choices.frameworks import FRAMEWORK_CATALOG, LOSS_CATALOG, check_choice
from metassl.machines import Machine

from ...Translation import _

FAST_MINUTES = 4.0
ACCURATE_MINUTES = 15.0

DEVICES = ("auto", "cuda", "mps", "cpu")


def frameworkTexts() -> dict[str, str]:
    """What to call each framework, in the order of the catalogue; one of another package by its own title."""
    ours = {
        "cps": _("Two networks (CPS)"),
        "mt": _("Network and mean (Mean Teacher)"),
        "uamt": _("Network and certain mean (UA-MT)"),
        "fixmatch": _("Weak and strong views (FixMatch)"),
        "cct": _("Two decoders (CCT)"),
        "rdrop": _("Two dropout passes (R-Drop)"),
        "bcp": _("Pasted both ways (BCP)"),
        "supervised": _("Labelled images only"),
    }
    return {each.name: ours.get(each.name, each.title) for each in FRAMEWORK_CATALOG}


def lossTexts() -> dict[str, str]:
    """What to call each loss, in the order of the catalogue."""
    ours = {
        "metassl": _("weighted by region (MetaSSL)"),
        "plain": _("all alike (plain)"),
        "uniform": _("as MetaSSL, all weights 1 (control)"),
        "official": _("the authors' objective (official)"),
        "official-as-published": _("the authors' objective, slips and all"),
    }
    return {each.name: ours[each.name] for each in LOSS_CATALOG}


@dataclass(frozen=True)
class TrainingOptions:
    """How long, by which method, on what. `newRound`: begin anew although the last round could go on.

    `iterations`, when it is not 0, counts steps instead of minutes. `machine`: None for this computer.
    """

    minutes: float = FAST_MINUTES
    framework: str = "cps"
    loss: str = "metassl"
    device: str = "auto"
    newRound: bool = False
    iterations: int = 0
    machine: Machine | None = None

    def where(self) -> dict[str, Any]:
        """On which machine, as `start_training` takes it."""
        if self.machine is None:
            return {"launcher": "local"}
        return {"launcher": self.machine.kind, "machine": self.machine.name}

    def asked(self) -> dict[str, Any]:
        """As `start_training` takes them. Raises ProjectError when the framework does not have the loss."""
        check_choice(self.framework, self.loss)
        return {
            "minutes": None if self.iterations else self.minutes,
            "iterations": self.iterations or None,
            "framework": self.framework,
            "loss": self.loss,
            "device": self.device,
            "new_round": self.newRound,
            **self.where(),
        }
