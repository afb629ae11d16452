"""Drives the module in an installed desktop Slicer with a real mouse and real keys: `make slicer-test SLICER=...`"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from desktop_slicer import DesktopSlicer
from journeys import EXTRA, JOURNEYS
from screen import NoScreen, screen


def main() -> int:
    """0 when every step of every journey passed."""
    known = JOURNEYS | EXTRA
    parser = argparse.ArgumentParser(prog="Testing/desktop", description=__doc__)
    parser.add_argument("--slicer", required=True, type=Path, help="the program that starts Slicer")
    parser.add_argument("--python", default="", help="a Python with torch and monai (else: Slicer's own)")
    parser.add_argument("--out", type=Path, default=Path("slicer-test-out"), help="where the pictures and logs go")
    parser.add_argument("--only", default="", help="names of journeys, with commas: " + ", ".join(known))
    parser.add_argument("--screen", default="1920x1080", help="the size of the virtual screen")
    parser.add_argument("--real-screen", action="store_true", help="use the screen that is there")
    arguments = parser.parse_args()
    program = shutil.which(str(arguments.slicer))
    if program is None:
        parser.error(f"there is no program {arguments.slicer}")
    chosen = [name for name in arguments.only.split(",") if name] or list(JOURNEYS)
    if unknown := set(chosen) - set(known):
        parser.error(f"no journey is called {', '.join(sorted(unknown))}: there are {', '.join(known)}")
    width, height = (int(each) for each in arguments.screen.split("x"))
    arguments.out.mkdir(parents=True, exist_ok=True)
    passed = failed = 0
    try:
        with screen(width, height, arguments.real_screen) as display:
            for name in chosen:
                folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=arguments.out))
                slicer = DesktopSlicer(Path(program).absolute(), display, folder.absolute())
                good, bad = known[name](arguments.python).run(slicer, arguments.out.absolute())
                passed, failed = passed + good, failed + bad
    except NoScreen as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
