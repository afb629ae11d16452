"""Campaign: a file of the project was written by a newer MetaSSL. It is refused in a sentence, and stays as it is."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
from pathlib import Path

import torch
from metassl.cli import USER_ERROR, main
from metassl.files import sha256_of

from .campaigns import Outcome

RELEASED = Path(__file__).resolve().parents[2] / "data" / "projects"
NEWER = 2
ROUND = "rounds/0001"
ALWAYS = ("status", "rank", "predict", "train", "export", "report", "rounds")

REFUSED_BY = {
    "project.json": ALWAYS,
    "cases.json": ("status", "rank", "predict", "train", "export", "report"),
    f"{ROUND}/round.json": ("status", "report"),
    f"{ROUND}/ranking.json": ("report",),
    f"{ROUND}/error_rates.json": ("predict", "report"),
    f"{ROUND}/checkpoints/model.pt": ("predict",),
}
"""The commands that need each file. What can be made anew (a ranking, a prediction) may be made by its own command."""


def released_projects() -> list[Path]:
    """A project of every version that was released."""
    return sorted(path for path in RELEASED.iterdir() if (path / "project.json").is_file())


def make_newer(path: Path) -> None:
    """Have the file say that it is of the next schema, which has something that is not known here."""
    if path.suffix == ".json":
        document = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps({**document, "schema_version": NEWER, "added_later": {"a": 1}}), "utf-8")
    else:
        torch.save({**torch.load(path, weights_only=True), "schema_version": NEWER, "added_later": 1}, path)


def command(name: str, project: Path) -> tuple[int, str]:
    """Its exit code and what it says on stderr."""
    extra = {
        "export": [str(project.with_name("exported"))],
        "report": ["--out", str(project.with_name("report.html")), "--no-pictures"],
        "predict": ["--device", "cpu"],
        "train": ["--detach", "--iterations", "1"],
    }
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main([name, str(project), *extra.get(name, [])])
    return code, said.getvalue()


def complaint(name: str, project: Path, file: Path) -> tuple[str, str]:
    """What is wrong with how the command refuses the newer file, "" if nothing, and what it said."""
    before = sha256_of(file)
    code, said = command(name, project)
    if sha256_of(file) != before:
        return f"{name} overwrote {file}", said
    lines = [line for line in said.splitlines() if "newer MetaSSL" in line]
    if code != USER_ERROR or len(lines) != 1 or str(file) not in lines[0] or "Traceback" in said:
        return f"{name} ended with {code} and said {said!r}", said
    return "", lines[0].removeprefix("metassl: ")


def run(times: int, folder: Path, seed: int) -> Outcome:
    """Each time one file of a released project becomes newer, and one command that needs it is tried."""
    rng = random.Random(seed)
    pairs = [(file, name) for file, names in REFUSED_BY.items() for name in names]
    lost = recovered = 0
    message = ""
    for number in range(times):
        file, name = pairs[number % len(pairs)]
        project = folder / str(number) / "project"
        shutil.copytree(rng.choice(released_projects()), project)
        whole = (project / file).read_bytes()
        make_newer(project / file)
        problem, said = complaint(name, project, project / file)
        (project / file).write_bytes(whole)  # as the newer MetaSSL finds it
        lost += bool(problem)
        recovered += not problem and command("status", project)[0] == 0
        message = problem or message or said
        shutil.rmtree(project.parent)
    return Outcome("a file of a newer version", times, lost, recovered, message)
