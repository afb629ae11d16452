"""Options that several commands share, so that they mean and say the same everywhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from metassl.files.errors import ProjectError

DEVICES = ("auto", "cpu", "cuda", "mps")


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """--json: one object on stdout."""
    parser.add_argument("--json", action="store_true", help="print one JSON object; all other words go to stderr")


def add_values_option(parser: argparse.ArgumentParser) -> None:
    """--values, of commands that read annotations; `names_of` gives what it says."""
    parser.add_argument(
        "--values",
        nargs="+",
        action="extend",
        type=_value,
        metavar="VALUE=NAME",
        help="what a value (or a segment's name) in a file means: a structure, background, or ignore (not annotated)",
    )


def names_of(arguments: argparse.Namespace) -> dict[int | str, str] | None:
    """What --values says, as `imaging.read_annotation` takes it."""
    return dict(arguments.values) if arguments.values else None


def _value(text: str) -> tuple[str, str]:
    value, equals, name = text.rpartition("=")
    if not equals or not value.strip() or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not VALUE=NAME, such as 255=Liver")
    return value.strip(), name.strip()


def add_device_option(parser: argparse.ArgumentParser, default: str | None = "auto") -> None:
    """--device; with the default None the project's own choice stands."""
    parser.add_argument("--device", choices=DEVICES, default=default, help="default: the GPU if there is one")


def minutes(text: str) -> float:
    """A length of time for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes")
    return value


def millimetres(text: str) -> float:
    """A length for argparse, 0 or more."""
    value = _number(text)
    if not 0 <= value < 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of millimetres")
    return value


def confidence(text: str) -> float:
    """How sure one wants to be, for argparse: "0.95", "95" and "95%" are the same."""
    value = _number(text.rstrip("% "))
    value = value / 100 if value > 1 else value
    if not 0.5 <= value <= 0.9999:
        raise argparse.ArgumentTypeError(f"{text!r} is not a confidence from 0.5 to 0.9999, such as 0.95")
    return value


def _number(text: str) -> float:
    """NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def count(text: str) -> int:
    """A whole number above zero for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


def count_or_none(text: str) -> int:
    """A whole number for argparse; 0 stands for none."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def read_names(path: Path) -> list[str]:
    """The names in `path`, one a line, without blank lines and those that begin with #.

    ProjectError when it cannot be read or names nothing.
    """
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProjectError(f"{path} is not a text file with one case name a line") from error
    except OSError as error:
        raise ProjectError(f"cannot read the case names in {path}: {error.strerror or error}") from error
    names = [line.strip() for line in text.splitlines()]
    names = [name for name in names if name and not name.startswith("#")]
    if not names:
        raise ProjectError(f"{path} names no case: write one case name a line")
    return list(dict.fromkeys(names))
