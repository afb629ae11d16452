"""What was asked of a benchmark, kept with its results so that two cannot be mixed up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from metassl.choices.frameworks import FRAMEWORKS, LOSSES, SEMI_SUPERVISED
from metassl.files.errors import MetaSSLError

from metassl_research.kept_settings import refuse_other_settings

FLOOR = "supervised"
"""The framework of the floor and the ceiling, with the plain loss."""

LOSS_ORDER = ("plain", "uniform", *(name for name in LOSSES if name not in ("plain", "uniform")))
"""What is compared with comes before what is compared."""

FIXED = ("data", "minutes", "iterations", "device", "clock")
"""What every run of one results file has in common; more of anything else adds runs."""


@dataclass(frozen=True)
class Settings:
    """labelled: numbers of labelled cases. seeds: 0 to seeds - 1. noisy: share of wrong annotations, or None."""

    data: str
    labelled: tuple[int, ...]
    frameworks: tuple[str, ...]
    losses: tuple[str, ...]
    seeds: int = 3
    minutes: float | None = None
    iterations: int | None = None
    device: str = "auto"
    clock: str = "wall"
    noisy: float | None = None

    def to_json(self) -> dict[str, Any]:
        found = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}

    def check_enough(self, training_cases: int) -> None:
        """MetaSSLError when more labelled cases are asked for than there are to train on."""
        if max(self.labelled) > training_cases:
            raise MetaSSLError(
                f"--labelled {max(self.labelled)} is more than the {training_cases} training cases of {self.data}"
            )

    def merged(self, former: dict[str, Any], where: object) -> dict[str, Any]:
        """The settings of all runs, former ones and these. MetaSSLError when they contradict each other.

        former: settings of the results in the file `where`.
        """
        asked = self.to_json()
        fixed = [*FIXED, *(["noisy"] if None not in (self.noisy, former.get("noisy")) else [])]
        refuse_other_settings(asked, former, fixed, where, "a benchmark")
        return {
            **asked,
            "labelled": sorted({*asked["labelled"], *former["labelled"]}),
            "frameworks": [name for name in FRAMEWORKS if name in {*asked["frameworks"], *former["frameworks"]}],
            "losses": [name for name in LOSS_ORDER if name in {*asked["losses"], *former["losses"]}],
            "seeds": max(asked["seeds"], former["seeds"]),
            "noisy": former.get("noisy") if self.noisy is None else self.noisy,
        }


def chosen_frameworks(text: str) -> tuple[str, ...]:
    """The frameworks in "a,b,c", "all" being the semi-supervised ones. MetaSSLError for one that does not exist."""
    words = [word.strip() for word in text.split(",")]
    return chosen(
        ",".join(",".join(SEMI_SUPERVISED) if word == "all" else word for word in words), FRAMEWORKS, "framework"
    )


def chosen_losses(text: str) -> tuple[str, ...]:
    """The losses in "plain,metassl", in LOSS_ORDER. MetaSSLError for one that does not exist."""
    return tuple(sorted(chosen(text, LOSSES, "loss"), key=LOSS_ORDER.index))


def chosen_counts(text: str, option: str = "labelled") -> tuple[int, ...]:
    """The numbers in "3,8", smallest first. MetaSSLError for what is no whole number above zero."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise MetaSSLError(f"--{option} {text!r}: write whole numbers above zero, such as 3,8")
    return tuple(sorted({int(word) for word in words}))


def chosen(text: str, known: Sequence[str], what: str) -> tuple[str, ...]:
    """The names in "a,b,c", each once. MetaSSLError for one that is not `known`."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise MetaSSLError(f"there is no {what} {', '.join(unknown) or repr(text)}: use some of {', '.join(known)}")
    return tuple(dict.fromkeys(names))
