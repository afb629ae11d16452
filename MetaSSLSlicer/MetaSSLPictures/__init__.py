"""Pictures of predicted cases for reports: real MRML and views of the Slicer core, drawn without a window.

It belongs to neither room, and both may call it. What is imported here is Python's own: the Slicer core is loaded by
the process that draws (`python -m MetaSSLPictures JOBS.json`), which may die without harm.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MODULE = __name__
TIMEOUT_S = 300
NO_SLICER = 3
"""The exit code of the process that draws where the Slicer core cannot be imported."""
NOT_INSTALLED = "The pictures need the core of 3D Slicer, which is not installed here: pip install 'metassl[report]'."


def drawPictures(jobs: Sequence[dict[str, Any]]) -> tuple[dict[str, bytes], str]:
    """Draw cases, each a job {"title", "image", "segmentation", "regions", "labels", "place"} (see `__main__`).

    Returns the PNG files by title, and why some or all are missing ("" when none is). Never raises.
    """
    if not jobs:
        return {}, ""
    with tempfile.TemporaryDirectory(prefix="metassl-") as folder:
        listed = [{**job, "out": str(Path(folder) / f"{index}.png")} for index, job in enumerate(jobs)]
        problem = _run(listed, Path(folder))
        drawn = {job["title"]: Path(job["out"]).read_bytes() for job in listed if Path(job["out"]).is_file()}
    if len(drawn) < len(jobs):
        return drawn, problem or "The pictures could not be rendered."
    return drawn, ""


def _run(jobs: list[dict[str, Any]], folder: Path) -> str:
    """Draw the jobs in a process; returns what went wrong, in a sentence, or ""."""
    listed = folder / "jobs.json"
    listed.write_text(json.dumps({"pictures": jobs}), encoding="utf-8")
    paths = [str(Path(__file__).resolve().parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        done = subprocess.run(
            [sys.executable, "-m", MODULE, str(listed)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return f"Rendering the pictures took longer than {TIMEOUT_S} s and was stopped."
    except OSError as error:
        return f"The pictures could not be rendered: {error.strerror or error}."
    if done.returncode == NO_SLICER:
        return NOT_INSTALLED
    if reasons := _reasons(done.stdout):
        return f"Not every picture could be rendered: {'; '.join(reasons)}."
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        return f"The pictures could not be rendered: {lines[-1] if lines else 'no reason given'}"
    return ""


def _reasons(said: str) -> list[str]:
    """Why single pictures failed: the process prints a JSON object for each."""
    reasons = []
    for line in said.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("error"):
            reasons.append(str(entry["error"]).rstrip("."))
    return reasons
