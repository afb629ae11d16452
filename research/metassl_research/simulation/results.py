"""The results file of a simulation: written whole after every round, so that a killed one goes on from there.

    {"settings", "cases": {"train", "test"}, "seeds": [SEED]}

SEED: {"seed", "order": of the training cases, "first": POINT, "strategies": {name: [POINT]}}.
POINT: {"labels", "labelled", "chosen": [{"case", "reason", "wrong_voxels", "minutes"}], "minutes" of annotation so far,
"regions": voxels and errors per region of what was corrected so far, "dice": {"mean", "per_class"}, "round", "key"}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metassl.files.errors import MetaSSLError
from metassl.files.json_files import read_json, write_json

from metassl_research.simulation.settings import Settings


class Results:
    """The content of the file, and how it grows."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self.path, self.content = path, content

    @classmethod
    def open(cls, path: Path, settings: Settings, cases: dict[str, list[str]]) -> Results:
        """The file, as it is or begun. MetaSSLError when it holds another simulation."""
        content = {"settings": settings.to_json(), "cases": cases, "seeds": []}
        if path.exists():
            former = read(path)
            settings.continues(former["settings"], path)
            if former["cases"] != cases:
                raise MetaSSLError(f"{path} was made with other cases in {settings.data}: give another --out")
            content["seeds"] = former["seeds"]
        return cls(path, content)

    def seed(self, number: int) -> dict[str, Any]:
        """What is known of this seed; what is added to it is kept by the next `save`."""
        entry: dict[str, Any]
        for entry in self.content["seeds"]:
            if entry["seed"] == number:
                return entry
        entry = {"seed": number, "order": [], "first": None, "strategies": {}}
        self.content["seeds"].append(entry)
        return entry

    def save(self) -> None:
        write_json(self.path, self.content)


def read(path: Path) -> dict[str, Any]:
    """The content of a results file. MetaSSLError when it is none."""
    content = read_json(path, "the results file of the simulation")
    if not {"settings", "cases", "seeds"} <= content.keys():
        raise MetaSSLError(f"{path} holds no results of `metassl simulate`")
    return content
