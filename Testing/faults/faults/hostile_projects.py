"""Projects in which one file is hostile, and what must come of opening one, looking at it and training it on."""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
from pathlib import Path
from random import Random

import torch._dynamo  # noqa: F401  # else the first training loads it, in seconds of processor time
from metassl import cli
from metassl.files import MetaSSLError
from metassl.jobs import EventWriter, JobRecord, TrainingLock, job_status, read_events
from metassl.jobs.round_summary import round_summaries
from metassl.project import Project
from metassl.training import worker
from MetaSSLSlicerLib.Logic.Case.CaseFiles import readCase
from MetaSSLSlicerLib.Logic.Project.CaseTable import readRows
from MetaSSLSlicerLib.Logic.Project.Ranking import recommend
from MetaSSLSlicerLib.Logic.Review import PredictionWords

from .hostile_bytes import mutated, mutated_lines
from .hostile_child import Verdict
from .hostile_template import CORRECTED, LABELLED, SOUND
from .hostile_values import FORMULA, SCRIPT, changed_json

PLACES = {
    "project.json": "project.json",
    "cases.json": "cases.json",
    "events.jsonl": "rounds/0002/events.jsonl",
    "round.json": "rounds/0002/round.json",
    "plan.json": "rounds/0002/plan.json",
    "job.json": "rounds/0002/job.json",
    "inputs.json": "rounds/0002/inputs.json",
    "labelled.json": "rounds/0002/labelled.json",
    "error_rates.json": "rounds/0002/error_rates.json",
    "evaluation.json": "rounds/0002/evaluation.json",
    "ranking.json": "rounds/0002/ranking.json",
    "former ranking.json": "rounds/0001/ranking.json",
    "summary.json": f"rounds/0002/predictions/{SOUND}/summary.json",
    "former summary.json": f"rounds/0001/predictions/{CORRECTED}/summary.json",
    "training.lock": "training.lock",
    "entry.json": "cache/*/entry.json",
    "image.npy": "cache/*/image.npy",
    "label": f"labels/.history/{LABELLED}.*.nrrd",
}
"""The hostile files, and where they lie: the first of that pattern."""

SHARED = ("ranking.json", "former ranking.json", "summary.json", "former summary.json", "entry.json", "image.npy")
"""Those that share a line of the table with another."""


ALONE = tuple(part for part in PLACES if part not in SHARED)
WRITTEN_AGAIN = (
    *("events.jsonl", "job.json", "training.lock", "entry.json", "image.npy", "inputs.json"),
    *("ranking.json", "summary.json", "error_rates.json"),
)
"""What need not stay as it was: it is added to, or can be made anew."""

CHOICES = ("choose one of", "use auto, cpu")
"""How a sentence ends that need not name the file: it tells the value, and which ones there are."""

OPENED = ("project.json", "cases.json")
NO_JSON = ("image.npy", "label")

CPU_SECONDS = 4.0
"""Of opening, predicting and training; the last two take one second, the first time two."""

COMMANDS = (
    ("status",),
    ("status", "--json"),
    ("rounds", "--json"),
    ("rank",),
    ("export", "OUT/export"),
    ("report", "--no-pictures", "--out", "OUT/report.html"),
)
AT_LENGTH = (*COMMANDS, ("predict", "--device", "cpu", "--cases", SOUND))


def place(project: Path, part: str) -> Path:
    """Where the hostile file of a project lies."""
    return next(iter(sorted(project.glob(PLACES[part]))))


def make(data: bytes, part: str, random: Random) -> bytes:
    """A hostile version of one of the files."""
    if part in NO_JSON:
        end = data.index(b"\n\n") if part == "label" else 0
        return mutated_lines(data, random, end) if end and random.random() < 0.5 else mutated(data, random)
    if random.random() < 0.3:
        return mutated(data, random)
    if part != "events.jsonl":
        return changed_json(data, random)
    lines = data.splitlines()
    for number in random.sample(range(len(lines)), random.choice((1, 1, 3))):
        lines[number] = changed_json(lines[number], random)
    return b"\n".join(lines) + random.choice((b"\n", b"\n", b""))


def probe(original: Path, folder: Path, part: str, data: bytes, at_length: bool) -> Verdict:
    """Do all that is done with a project; `folder` must not be there, and is not there afterwards.

    at_length: predict and train it on as well, which takes a second.
    """
    try:
        shutil.copytree(original, folder / "project")
        place(folder / "project", part).write_bytes(data)
        return _use(folder, part, data, at_length)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _use(folder: Path, part: str, data: bytes, at_length: bool) -> Verdict:
    path, said = folder / "project", ""
    hostile = place(path, part)
    before = _labels(path)
    for command, *words in AT_LENGTH if at_length else COMMANDS:
        verdict = _command([command, str(path), *(word.replace("OUT", str(folder)) for word in words)], folder)
        said = verdict.said or said
        if verdict.fault:
            return verdict
    try:
        project = Project.open(path)
        cases = project.cases
    except MetaSSLError as error:
        intact = hostile.read_bytes() == data
        return Verdict(said=str(error)) if intact and part in OPENED else Verdict("others", str(error))
    for act in (_as_slicer, _change, _go_on, _locks, _label, *((_train,) if at_length else ())):
        try:
            act(project, [case for case in (SOUND, LABELLED, CORRECTED) if case in cases])
        except MetaSSLError as error:
            said = str(error)
            if part == "events.jsonl" or not said.isprintable():
                return Verdict("others", said)
            if part not in OPENED and hostile.name not in said and not any(word in said for word in CHOICES):
                return Verdict("unclear", said)
    strangers = {found.name for found in folder.iterdir()} - {"project", "export", "report.html"}
    if strangers or _labels(path) != before:
        return Verdict("others", f"labels or files outside have changed: {strangers}")
    if part not in WRITTEN_AGAIN and part not in OPENED and hostile.read_bytes() != data:
        return Verdict("others", "the file was written over")
    return Verdict(said=said)


def _command(words: list[str], folder: Path) -> Verdict:
    shown, complaint = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(complaint):
        code = cli.main(words)
    said = complaint.getvalue().strip()
    if code == 2 and "Traceback" not in said:
        said = said.splitlines()[-1]  # before that comes what it has shown already
    if code not in (0, 1, 2):
        return Verdict("traceback", f"{words[0]}: {said}"[:500])
    if code == 2 and ("\n" in said or str(folder / "project") not in said):
        return Verdict("unclear", said[:500])
    if "\x1b" in shown.getvalue() + said:
        return Verdict("unclear", "a terminal obeys what a project says")
    for page in folder.glob("*.html"):
        if SCRIPT in page.read_text("utf-8"):
            return Verdict("others", "a page runs what a project says")
    for table in folder.glob("export/*.csv"):
        if f"\n{FORMULA}" in table.read_text("utf-8") or f",{FORMULA}" in table.read_text("utf-8"):
            return Verdict("others", "a spreadsheet runs what a project says")
    return Verdict(said=said if code == 2 else "")


def _as_slicer(project: Project, cases: list[str]) -> None:
    recommend(readRows(project))
    for case_id in cases:
        data = readCase(project, case_id)
        PredictionWords.legendRows(data.prediction, data.geometry)
        if data.prediction is not None:
            PredictionWords.expectedDiceDetails(data.prediction.summary)


def _change(project: Project, cases: list[str]) -> None:
    project.update_settings(strategy="entropy")
    if cases:
        project.update_case(cases[0], seconds_spent=7.0)
        assert Project.open(project.path).case(cases[0]).seconds_spent == 7.0


def _go_on(project: Project, cases: list[str]) -> None:
    """As a worker that is started again."""
    for found in project.rounds():
        job_status(found)
        EventWriter(found.events_path).write("warning", message="after it all")
        assert read_events(found.events_path)[-1]["message"] == "after it all"
        assert "after it all" in job_status(found).warnings
    round_summaries(project)


def _locks(project: Project, cases: list[str]) -> None:
    lock = TrainingLock(project.path)
    if lock.busy() is None:
        lock.acquire("to see whether it can be taken")
        assert lock.release()
    record = JobRecord.read(project.path / PLACES["job.json"])
    assert record is None or not record.alive()


def _label(project: Project, cases: list[str]) -> None:
    """An annotation that can be read is taken for what somebody drew: nothing compares it with its version."""
    if LABELLED in cases and project.case(LABELLED).is_labelled:
        array, grid = project.read_label(LABELLED)
        assert array.shape == grid.shape_zyx


def _train(project: Project, cases: list[str]) -> None:
    latest = project.latest_round()
    lock = TrainingLock(project.path)
    if latest is None or lock.busy() is not None:
        return  # it would wait for whoever seems to be at work
    if worker.main([str(project.path), str(latest.number)]) == 0:
        return
    last = read_events(latest.events_path)[-1]
    assert last["event"] == "failed" and not last["hint"], last["message"]
    raise MetaSSLError(last["message"])


def _labels(path: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (path / "labels").rglob("*.nrrd")}
