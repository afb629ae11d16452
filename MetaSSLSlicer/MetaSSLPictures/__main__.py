"""Draws pictures of predicted cases: `python -m MetaSSLPictures JOBS.json`.

JOBS.json holds {"pictures": [{"image", "segmentation", "regions", "out", "title", "labels":
[{"value", "name", "color"}], "place": [x, y, z]}, ...], "size": 480}. Each picture
shows three slices through the place, or where there is none through the middle of the structures, and
the structures in 3-D. For each, one line of JSON is printed: what was drawn, or why nothing was. The
exit code is 1 when a picture failed, 2 when none could be tried, 3 when that is for want of the Slicer core.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metassl.files import MetaSSLError, read_json

from . import NO_SLICER
from .PictureCase import readCase

SIZE = 480
SMALLEST, LARGEST = 160, 2000


def main(arguments: Sequence[str]) -> int:
    """Draw the pictures of a job file; returns the exit code."""
    if len(arguments) != 1:
        print("usage: python -m MetaSSLPictures JOBS.json", file=sys.stderr)
        return 2
    try:
        jobs = read_json(Path(arguments[0]), "the list of pictures")
        size = int(jobs.get("size", SIZE))
        from .CasePainter import CasePainter  # needs slicer-core
    except ImportError as error:
        print(f"no pictures: {error}", file=sys.stderr)
        return NO_SLICER
    except (MetaSSLError, TypeError, ValueError) as error:
        print(f"no pictures: {error}", file=sys.stderr)
        return 2
    painter = CasePainter(min(max(size, SMALLEST), LARGEST))
    results = [_draw(painter, job) for job in jobs.get("pictures", [])]
    return 0 if all(results) else 1


def _draw(painter, job: dict[str, Any]) -> bool:
    begin = time.monotonic()
    said: dict[str, Any] = {"title": job.get("title", ""), "out": job.get("out", "")}
    try:
        case = readCase(job)
        canvas, shown = painter.paint(case)
        canvas.save(Path(job["out"]))
        said |= {"ok": True, **shown}
    except MetaSSLError as error:
        said |= {"ok": False, "error": str(error)}
        print(error, file=sys.stderr)
    said["seconds"] = round(time.monotonic() - begin, 2)
    print(json.dumps(said), flush=True)
    return said["ok"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
