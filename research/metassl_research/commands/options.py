"""Options of the commands that compare trainings, so that they mean and say the same in each."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from metassl.choices.defaults import DEFAULTS
from metassl.commands.shared.console import Console, command_line
from metassl.commands.shared.options import count, minutes
from metassl.files.errors import MetaSSLError, ProjectError
from metassl.project.words import count as counted
from metassl.project.words import duration
from metassl.training.eta import CLOCKS

if TYPE_CHECKING:
    from metassl_research.experiment import Experiment


def add_length_options(parser: argparse.ArgumentParser) -> None:
    """--minutes or --iterations of every training of a comparison, and --clock."""
    length = parser.add_mutually_exclusive_group()
    usual = f"of each training (default: {DEFAULTS['minutes']:g})"
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
    default: float = DEFAULTS["minutes"]
    asked: float | None = arguments.minutes
    return default if asked is None and arguments.iterations is None else asked


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


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """--data, for `open_experiment`."""
    parser.add_argument("--data", type=Path, metavar="DIR", help="a Decathlon folder with labels, and splits.json")


def open_experiment(arguments: argparse.Namespace, validate: bool = True) -> Experiment:
    """The experiment of --data, in --work or beside --out; validate: see there.

    ProjectError before hours of work on cases that were divided by chance, unless --yes or results are there.
    """
    from metassl_research.experiment import Experiment
    from metassl_research.experiment_data import GIVEN_SPLIT

    if arguments.data is None:
        raise ProjectError("say on which data: --data DIR, a Decathlon folder with labels")
    experiment = Experiment.open(arguments.work or arguments.out.with_suffix(""), arguments.data, validate)
    if experiment.known.split == GIVEN_SPLIT or arguments.yes or arguments.out.exists():
        return experiment
    parts = len(experiment.train_order), len(experiment.validation), len(experiment.test)
    raise ProjectError(
        f"{arguments.data} has no splits.json: its cases would be divided by chance, {parts[0]} to train on, "
        f"{parts[1]} for validation and {parts[2]} for the test; write a splits.json, or agree with --yes"
    )


def data_name(arguments: argparse.Namespace) -> str:
    """What the results call --data; "" where none was given."""
    return "" if arguments.data is None else arguments.data.name or str(arguments.data)


@contextmanager
def resumable(command: str, arguments: argparse.Namespace, console: Console) -> Iterator[None]:
    """Ctrl-C says how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        again = command_line(*command.split(), "--data", arguments.data, "--out", arguments.out, "...")
        console.say(f"stopped; the same command goes on: {again}")
        raise


def add_yes_option(parser: argparse.ArgumentParser) -> None:
    """--yes, for `open_experiment`."""
    parser.add_argument("--yes", action="store_true", help="go on where the data have no splits.json")


def tell_of_lines(runs: Sized, failed: Mapping[str, str], arguments: argparse.Namespace, console: Console) -> None:
    """What the lines of --out do not hold. MetaSSLError where they hold no run at all."""
    from metassl_research.lines import torn_lines

    out: Path = arguments.out
    if torn := torn_lines(out):
        lines = ", ".join(map(str, torn))
        console.warn(f"{out}: torn, as a killed process leaves it, and not counted: line {lines}")
    if not len(runs):
        what = f"{out} holds no run that is finished" if out.exists() else f"there is no file {out} yet"
        raise MetaSSLError(f"{what}: {next(iter(failed.values()), 'run it without --table to go on')}")


def results_file(arguments: argparse.Namespace) -> Path:
    """What --out says; ProjectError when table and plot could not be named after it."""
    out: Path = arguments.out
    if out.suffix != ".json":
        raise ProjectError(f"--out {out} does not end in .json: the table and the plot are written beside it")
    return out


def refuse_without_ending(arguments: argparse.Namespace) -> None:
    """ProjectError where the folder of the work, which is named after --out, would be --out itself."""
    if not arguments.out.suffix:
        raise ProjectError(f"--out {arguments.out} has no ending: the folder of the work is named after it")


def share(text: str) -> float:
    """A share above 0, up to 1, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share between 0 and 1, such as 0.3")
    return value
