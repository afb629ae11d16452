"""Pictures of cases, rendered by the Slicer core in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import metassl
from metassl.files.errors import MetaSSLError
from metassl.imaging.images import read_image
from metassl.imaging.writer import write_array
from metassl.project.places.search import Place
from metassl.project.places.words import place_text
from metassl.project.project import Project
from metassl.project.rounds import Round

MODULE = "MetaSSLSlicerLib.Pictures.CasePicture"
SIZE = 480
TIMEOUT_S = 300
_PACKAGES = ("slicer", "vtk", "mrml", "PIL", "MetaSSLSlicerLib")
NOT_INSTALLED = "The pictures need the core of 3D Slicer, which is not installed here: pip install 'metassl[report]'."


@dataclass
class Pictures:
    """PNG files as bytes by case, and why some or all are missing ("" when none is)."""

    files: dict[str, bytes] = field(default_factory=dict)
    problem: str = ""


def render(
    project: Project, found: Round, case_ids: Sequence[str], places: Mapping[str, Sequence[Place]] | None = None
) -> Pictures:
    """Render the predictions of some cases, each at the first of its `places`.

    Never raises: a report without pictures is a report.
    """
    if not case_ids:
        return Pictures()
    with tempfile.TemporaryDirectory(prefix="metassl-") as folder:
        jobs, problems = [], []
        for index, case_id in enumerate(case_ids):
            try:
                job = _job(project, found, case_id, Path(folder) / f"{index}")
                for place in (places or {}).get(case_id, [])[:1]:
                    job["place"] = {"index": place.index_xyz, "text": place_text(place)}
                jobs.append(job)
            except MetaSSLError as error:
                problems.append(str(error))
        said = _run(jobs, Path(folder)) if jobs else ""
        files = {job["title"]: Path(job["out"]).read_bytes() for job in jobs if Path(job["out"]).is_file()}
    if len(files) < len(jobs):
        problems.append(said or "The pictures could not be rendered.")
    return Pictures(files, " ".join(problems))


def _job(project: Project, found: Round, case_id: str, stem: Path) -> dict[str, Any]:
    image = project.image_paths(case_id)[0]
    if image.is_dir():  # a DICOM series: the renderer reads single files
        series = read_image([image], case_id)
        image = stem.with_suffix(".nrrd")
        write_array(image, series.array[0], series.geometry)
    paths = found.prediction(case_id)
    return {
        "image": str(image),
        "segmentation": str(paths.segmentation),
        "regions": str(paths.regions),
        "out": str(stem.with_suffix(".png")),
        "title": case_id,
        "labels": [asdict(label) for label in project.labels],
    }


def _run(jobs: list[dict[str, Any]], folder: Path) -> str:
    """Render the jobs; returns what went wrong, in a sentence, or ""."""
    listed = folder / "jobs.json"
    listed.write_text(json.dumps({"pictures": jobs, "size": SIZE}), encoding="utf-8")
    root = str(Path(metassl.__file__).resolve().parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
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
    if any(f"No module named '{name}" in done.stderr for name in _PACKAGES):
        return NOT_INSTALLED
    if reasons := _reasons(done.stdout):
        return f"Not every picture could be rendered: {'; '.join(reasons)}."
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        return f"The pictures could not be rendered: {lines[-1] if lines else 'no reason given'}"
    return ""


def _reasons(said: str) -> list[str]:
    """Why single pictures failed: the renderer prints a JSON object for each."""
    reasons = []
    for line in said.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("error"):
            reasons.append(str(entry["error"]).rstrip("."))
    return reasons
