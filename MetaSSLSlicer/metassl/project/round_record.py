"""round.json as it is read: what is in it is of the right kind, or one sentence names the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .errors import ProjectError
from .files import read_json
from .kinds import by_name, having, number, text, texts, whole

_KINDS = {
    "config": having(
        **dict.fromkeys(("host", "loss", "device", "clock"), text),
        **dict.fromkeys(("seed", "iterations"), whole),
        minutes=lambda value: number(value) and value >= 0,
    ),
    **dict.fromkeys(("labels", "validation", "versions"), by_name(text)),
    "unlabelled": texts,
    "parent": whole,
    **dict.fromkeys(("created", "launcher"), text),
}


_TO_TRAIN = ("config", "labels", "validation", "unlabelled", "versions")
_CONFIG = ("host", "loss", "device", "seed")


def config_to_train(record: dict[str, Any], path: Path) -> dict[str, Any]:
    """The config of a record that has all that a training needs. ProjectError when it has not."""
    config = {"iterations": None, "minutes": None, **(record.get("config") or {})}
    lacks = [name for name in _TO_TRAIN if record.get(name) is None]
    lacks += [name for name in _CONFIG if config.get(name) is None]
    if not config["iterations"] and not config["minutes"]:
        lacks.append("iterations or minutes")
    if lacks:
        raise ProjectError(f"{path} lacks {', '.join(lacks)}: the round cannot go on; train with --new-round")
    return config


def read_record(path: Path, number: int) -> dict[str, Any]:
    """The record of the round `number`; entries that it lacks are left to its readers. Raises ProjectError."""
    return read_json(path, f"the record of round {number:04d}", _KINDS)
