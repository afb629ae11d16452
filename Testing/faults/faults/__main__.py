"""`python -m faults` in Testing/faults, or `make faults`: runs the campaigns and prints what came of each."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

from .campaigns import CAMPAIGNS, Campaign, Outcome

SUPPORT = Path(__file__).resolve().parents[2] / "support"
WIDTHS = (44, 7, 6, 10)
HEAD = ("fault", "times", "lost", "recovered", "message")


def main(words: list[str] | None = None) -> int:
    """Run the chosen campaigns; returns 1 when one lost anything or broke, else 0."""
    options = _options(words)
    sys.path.insert(0, str(SUPPORT))
    chosen = [campaign for campaign in CAMPAIGNS if not options.only or campaign.module in options.only]
    print(_line(HEAD))
    bad = 0
    for campaign in chosen:
        folder = Path(tempfile.mkdtemp(prefix=f"faults-{campaign.module}-"))
        lost = 0
        for outcome in _outcomes(campaign, options, folder):
            print(_line(_cells(outcome)), flush=True)
            lost += outcome.lost
        if lost:
            bad += 1
            print(f"  its files are kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if bad else 0


def _outcomes(campaign: Campaign, options: argparse.Namespace, folder: Path) -> Iterator[Outcome]:
    try:
        yield from campaign.run(options.times, folder, options.seed)
    except Exception:
        traceback.print_exc()
        yield Outcome(campaign.module, 0, 1, 0, "the campaign itself broke, see above")


def _options(words: list[str] | None) -> argparse.Namespace:
    names = [campaign.module for campaign in CAMPAIGNS]
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--times", type=float, default=1.0, metavar="SCALE", help="inject SCALE times as often")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"only these: {', '.join(names)}")
    parser.add_argument("--seed", type=int, default=0, help="another seed injects other faults")
    return parser.parse_args(words)


def _cells(outcome: Outcome) -> tuple[str, ...]:
    return (outcome.fault, str(outcome.times), str(outcome.lost), str(outcome.recovered), outcome.message)


def _line(cells: tuple[str, ...]) -> str:
    room = max(shutil.get_terminal_size((200, 24)).columns - sum(WIDTHS) - 2 * len(WIDTHS), 40)
    name, *numbers, message = cells
    shown = message if len(message) <= room else message[: room - 3] + "..."
    counts = [number.rjust(width) for number, width in zip(numbers, WIDTHS[1:], strict=True)]
    return "  ".join([name.ljust(WIDTHS[0]), *counts, shown]).rstrip()


if __name__ == "__main__":
    sys.exit(main())
