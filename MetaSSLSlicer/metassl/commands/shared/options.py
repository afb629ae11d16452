"""Options that several commands share, so that they mean and say the same everywhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from metassl.choices.defaults import MINUTES
from metassl.files.errors import ProjectError
from metassl.project.words import count as counted
from metassl.project.words import duration
from metassl.training.schedule import CLOCKS

DEVICES = ("auto", "cpu", "cuda", "mps")


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """--json: one object on stdout."""
    parser.add_argument("--json", action="store_true", help="print one JSON object; all other words go to stderr")


def add_device_option(parser: argparse.ArgumentParser, default: str | None = "auto") -> None:
    """--device; with the default None the project's own choice stands."""
    parser.add_argument("--device", choices=DEVICES, default=default, help="default: the GPU if there is one")


def add_length_options(parser: argparse.ArgumentParser) -> None:
    """--minutes or --iterations of every training of a comparison, and --clock."""
    length = parser.add_mutually_exclusive_group()
    usual = f"of each training (default: {MINUTES:g})"
    length.add_argument("--minutes", type=minutes, metavar="M", help=usual)
    length.add_argument("--iterations", type=count, metavar="N", help="train for so many steps instead")
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="what the minutes are counted on; processor time is the fairer one on a busy machine without a GPU",
    )


def training_minutes(arguments: argparse.Namespace) -> float | None:
    """What --minutes says, or the usual; None where iterations are counted."""
    if arguments.minutes is None and arguments.iterations is None:
        return MINUTES
    minutes: float | None = arguments.minutes
    return minutes


def trainings_left(count: int, minutes: float | None) -> str:
    """ "63 trainings to go, of 4 minutes each: at least 4 hours 12 minutes"; `minutes` as in `training_minutes`."""
    trainings = counted(count, "training")
    if minutes is None or not count:
        return f"{trainings} to go"
    return f"{trainings} to go, of {duration(60 * minutes)} each: at least {duration(60 * minutes * count)}"


def add_results_options(parser: argparse.ArgumentParser, default: str) -> None:
    """--work, --out and --table, of commands whose results file can be added to."""
    parser.add_argument("--work", type=Path, metavar="DIR", help="where it trains (default: OUT without its suffix)")
    parser.add_argument("--out", type=Path, default=Path(default), metavar="FILE", help=f"default: {default}")
    parser.add_argument("--table", action="store_true", help="only make table and plot from --out again")


def results_file(arguments: argparse.Namespace) -> Path:
    """What --out says; ProjectError when table and plot could not be named after it."""
    out: Path = arguments.out
    if out.suffix != ".json":
        raise ProjectError(f"--out {out} does not end in .json: the table and the plot are written beside it")
    return out


def minutes(text: str) -> float:
    """A length of time for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes")
    return value


def count(text: str) -> int:
    """A whole number above zero for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
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
