"""The results file of cohort plays: written whole after each, so that a killed one goes on from there.

    {"settings", "cases": [id], "plays": [PLAY]}

PLAY: {"arm", "seed", "trainings", "machine_seconds", "unseen", "cases": [CASE in the order of the work]}.
CASE: {"case", "how": "drawn" | "corrected" | "accepted" | "unseen", "after": trainings before it, "seconds": {kind},
"looked", "corrected": numbers of slices, "dice", "surface_dice", "deepest_mm"}; of the final label. A case that was
looked at twice, partly at first, stands there twice; the quality is with the last. A play has "evidence", too: what its
estimates of deep errors were measured on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metassl.files.errors import MetaSSLError
from metassl.files.json_files import read_json, write_json
from metassl.files.json_kinds import list_of, mapping, misfit, text, texts, whole, whole_of

from metassl_research.cohort.arms import Arm
from metassl_research.cohort.settings import Settings

EVIDENCE = "looked"
"""Only slices that were looked at tell how right predictions are. Former plays do not say so: to these all that was not
corrected was right.
"""

_PLAY = whole_of(arm=text, seed=whole, cases=list_of(whole_of(case=text, seconds=mapping)))
_KINDS = {"settings": whole_of(arms=texts, seeds=whole), "cases": texts, "plays": list_of(_PLAY)}


class Results:
    """The content of the file, and how it grows."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self.path, self.content = path, content

    @classmethod
    def open(cls, path: Path, settings: Settings, cases: list[str]) -> Results:
        """The file, as it is or begun. MetaSSLError when it holds another simulation."""
        content: dict[str, Any] = {"settings": settings.to_json(), "cases": cases, "plays": []}
        if path.exists():
            former = read(path)
            settings.continues(former["settings"], path)
            others = sorted({play["arm"] for play in former["plays"] if not is_of_now(Arm.of(play["arm"]), play)})
            if others:
                raise MetaSSLError(
                    f"{path} holds plays of {', '.join(others)} by a version to which what nobody looked at was right: "
                    "they are not to be mixed with those of this one; give another --out"
                )
            if former["cases"] != cases:
                raise MetaSSLError(f"{path} was made with other cases in {settings.data}: give another --out")
            content["plays"] = former["plays"]
            arms = [*former["settings"]["arms"], *settings.arms]
            content["settings"]["arms"] = list(dict.fromkeys(arms))
            content["settings"]["seeds"] = max(former["settings"]["seeds"], settings.seeds)
        return cls(path, content)

    def has(self, arm: str, seed: int) -> bool:
        return any((play["arm"], play["seed"]) == (arm, seed) for play in self.content["plays"])

    def add(self, play: dict[str, Any]) -> None:
        self.content["plays"].append(play)
        write_json(self.path, self.content)


def is_of_now(arm: Arm, document: dict[str, Any]) -> bool:
    """Whether a play, or its file, is what this version makes of the arm: where all was looked at, any version's is."""
    return arm.chance is None or document.get("evidence") == EVIDENCE


def read(path: Path) -> dict[str, Any]:
    """The content of a results file. MetaSSLError when it is none."""
    content = read_json(path, "the results file of the simulation")
    if any(content.get(name) is None for name in _KINDS):
        raise MetaSSLError(f"{path} holds no results of `metassl simulate --goal cohort`")
    if wrong := misfit(content, _KINDS):
        raise MetaSSLError(f"{path} is damaged: its entry {wrong!r} is of the wrong kind; give another --out")
    content["settings"].setdefault("seen", 0.0)  # the first results say nothing of it
    return content
