"""What the user chose for a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from metassl.choices.defaults import PIECES, PLANS
from metassl.choices.frameworks import FRAMEWORK_CATALOG, LOSS_CATALOG, check_choice
from metassl.choices.quality import DEFAULT_QUALITY, QUALITIES
from metassl.machines import Machine

from ...Durations import briefDuration
from ...Translation import _

NEXT = (0, 20, 100)
"""How many cases are predicted after a training; 0: all."""

DEVICES = ("auto", "cuda", "mps", "cpu")


def qualityTexts() -> dict[str, tuple[str, str]]:
    """What to call each quality, and what it costs and brings, in a sentence or two."""
    ours = {
        "fast": (
            _("Fast ({time})"),
            _("Something to review soon. On a CPU large images, such as CT, are seen coarsely."),
        ),
        "good": (
            _("Good ({time})"),
            _("On a CPU voxels are a third as large as with Fast, and what is learnt is finer."),
        ),
        "best": (
            _("Best ({time})"),
            _("On a CPU voxels are an eighth as large as with Fast; small images get a larger network."),
        ),
    }
    times = {name: briefDuration(60 * each.minutes) for name, each in QUALITIES.items()}
    return {name: (text.format(time=times[name]), hint) for name, (text, hint) in ours.items()}


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
        "plain": _("as the method has it (plain)"),
        "uniform": _("as MetaSSL, all weights 1 (control)"),
        "official": _("the authors' objective (official)"),
        "official-as-published": _("the authors' objective, slips and all"),
    }
    return {each.name: ours[each.name] for each in LOSS_CATALOG}


def planTexts() -> dict[str, str]:
    """What to call each plan."""
    ours = {"auto": _("what suits the images"), "2d": _("slices, one by one (2-D)"), "3d": _("volumes (3-D)")}
    return {name: ours[name] for name in PLANS}


def piecesTexts() -> dict[str, str]:
    """What to call what is shown of a structure that is one piece in all annotations."""
    ours = {"auto": _("as many as annotated"), "all": _("all that are found")}
    return {name: ours[name] for name in PIECES}


@dataclass(frozen=True)
class TrainingOptions:
    """How long, how finely, by which method, on what. `newRound`: begin anew although the last round could go on.

    `ownMinutes`, when it is not 0, counts instead of those of the quality; `iterations` counts steps instead of
    minutes. `predict`: so many cases are predicted after it, 0 for all. `machine`: None for this computer.
    """

    quality: str = DEFAULT_QUALITY
    ownMinutes: float = 0.0
    predict: int = 0
    framework: str = "cps"
    loss: str = "metassl"
    device: str = "auto"
    plan: str = "auto"
    pieces: str = "auto"
    newRound: bool = False
    iterations: int = 0
    machine: Machine | None = None

    def where(self) -> dict[str, Any]:
        """On which machine, as `start_training` takes it."""
        if self.machine is None:
            return {"launcher": "local"}
        return {"launcher": self.machine.kind, "machine": self.machine.name}

    @property
    def minutes(self) -> float:
        """Until the first case can be reviewed."""
        return self.ownMinutes or QUALITIES[self.quality].minutes

    def asked(self) -> dict[str, Any]:
        """As `start_training` takes them. Raises ProjectError when the framework does not have the loss."""
        check_choice(self.framework, self.loss)
        return {
            "quality": self.quality,
            "predict": self.predict or None,
            "minutes": None if self.iterations else self.minutes,
            "iterations": self.iterations or None,
            "framework": self.framework,
            "loss": self.loss,
            "plan": self.plan,
            "pieces": self.pieces,
            "device": self.device,
            "new_round": self.newRound,
            **self.where(),
        }
