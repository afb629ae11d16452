"""Projects with a hostile project.json, cases.json or events.jsonl, and what must come of opening one."""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
from pathlib import Path
from random import Random

import numpy as np
from metassl import cli
from metassl.jobs import EventWriter, job_status, read_events
from metassl.jobs.round_summary import round_summaries
from metassl.project import MetaSSLError, Project, write_array, write_json
from MetaSSLSlicerLib.Logic.CaseFiles import readCase
from MetaSSLSlicerLib.Logic.CaseTable import readRows

from .hostile_bytes import mutated
from .hostile_child import Verdict
from .hostile_values import FORMULA, SCRIPT, changed_json
from .sample_project import GRID, image, label, make_project, write_images

PLACES = {"project.json": "project.json", "cases.json": "cases.json", "events.jsonl": "rounds/0001/events.jsonl"}
"""The kinds of hostile files, and where they lie."""

CONFIG = {"host": "cps", "loss": "metassl", "device": "cpu"}
SOUND_CASE = "scan_3"
COMMANDS = (
    ("status",),
    ("status", "--json"),
    ("rounds", "--json"),
    ("rank",),
    ("export", "OUT/export"),
    ("report", "--no-pictures", "--out", "OUT/report.html"),
)


def template(folder: Path) -> Path:
    """A project of four cases with a finished round; returns its folder."""
    project = make_project(folder / "template", write_images(folder / "images"))
    found = project.new_round(
        {
            "config": {**CONFIG, "seed": 0, "minutes": 4.0, "iterations": None},
            "labels": {case.id: case.label_version for case in project.labelled_cases()},
            "unlabelled": [case.id for case in project.unlabelled_cases()],
            "validation": {},
            "parent": None,
            "versions": {"metassl": "0"},
        }
    )  # fmt: skip
    found.model_path.write_bytes(b"not looked at")
    for number, case in enumerate(project.unlabelled_cases()):
        paths = found.prediction(case.id)
        paths.folder.mkdir()
        write_array(paths.segmentation, label(number), GRID)
        write_array(paths.regions, label(number) + np.uint8(1), GRID)
        write_array(paths.uncertainty, image(number) / 200, GRID)
        counts = {"UC": 60, "US": 20, "DC": 20, "DS": 20}
        summary = {"case": case.id, "round": 1, "step": 9, "voxels": counts, "structure_voxels": 40}
        more = {"band_voxels": counts, "mean_uncertainty": 0.5, "mutual_information": 0.1}
        write_json(paths.summary, {**summary, **more, "doubt": {"US": 0.2, "DC": 0.1, "DS": 0.1}})
    project.mark_predicted([case.id for case in project.unlabelled_cases()])
    events = EventWriter(found.events_path)
    events.write("started", device="cpu", device_name="CPU", precision="fp32", pid=1, resumed_from=None, versions={})
    events.write("plan", summary="a plan", patch_zyx=[16, 16, 16])
    events.write("stage", stage="training", total=90)
    for step in range(1, 4):
        regions = {"UC": 0.5, "US": 0.2, "DC": 0.1, "DS": 0.2}
        shown = {"loss": {"total": 1.0 / step}, "regions": regions, "eta_s": 3.0, "memory_mb": 9.0}
        events.write("progress", stage="training", step=step, total=90, seconds_per_step=0.1, **shown)
        events.write("validation", step=step, dice={"mean": 0.5, "per_class": {"Front": 0.5, "Back": None}}, cases=1)
    events.write("case_failed", case="scan_1", file="scan_1.nrrd", reason="case scan_1: it is damaged")
    events.write("warning", message="a warning")
    events.write("predicted", case="scan_2", doubt={"US": 0.2, "DC": 0.1, "DS": 0.1})
    events.write("finished", seconds=12.0)
    return project.path


def make(data: bytes, part: str, random: Random) -> bytes:
    """A hostile version of one of the files."""
    if random.random() < 0.3:
        return mutated(data, random)
    if part != "events.jsonl":
        return changed_json(data, random)
    lines = data.splitlines()
    for number in random.sample(range(len(lines)), random.choice((1, 1, 3))):
        lines[number] = changed_json(lines[number], random)
    return b"\n".join(lines) + random.choice((b"\n", b"\n", b""))


def probe(original: Path, folder: Path, part: str, data: bytes) -> Verdict:
    """Do all that is done with a project; `folder` must not be there, and is not there afterwards."""
    try:
        shutil.copytree(original, folder / "project")
        (folder / "project" / PLACES[part]).write_bytes(data)
        return _use(folder, part, data)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _use(folder: Path, part: str, data: bytes) -> Verdict:
    path, said = folder / "project", ""
    before = _labels(path)
    for command, *words in COMMANDS:
        verdict = _command([command, str(path), *(word.replace("OUT", str(folder)) for word in words)], folder)
        said = verdict.said or said
        if verdict.fault:
            return verdict
    try:
        project = Project.open(path)
        cases = project.cases
    except MetaSSLError as error:
        intact = (path / PLACES[part]).read_bytes() == data
        return Verdict(said=str(error)) if intact and part != "events.jsonl" else Verdict("others", str(error))
    for act in (_as_slicer, _change, _go_on):
        try:
            act(project, SOUND_CASE if SOUND_CASE in cases else None)
        except MetaSSLError as error:
            said = str(error)
            if part == "events.jsonl" or not said.isprintable():
                return Verdict("others", said)
    strangers = {found.name for found in folder.iterdir()} - {"project", "export", "report.html"}
    if strangers or _labels(path) != before:
        return Verdict("others", f"labels or files outside have changed: {strangers}")
    return Verdict(said=said)


def _command(words: list[str], folder: Path) -> Verdict:
    shown, complaint = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(complaint):
        code = cli.main(words)
    said = complaint.getvalue().strip()
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


def _as_slicer(project: Project, case_id: str | None) -> None:
    readRows(project)
    if case_id is not None:
        readCase(project, case_id)


def _change(project: Project, case_id: str | None) -> None:
    project.update_settings(strategy="entropy")
    if case_id is not None:
        project.update_case(case_id, seconds_spent=7.0)
        assert Project.open(project.path).case(case_id).seconds_spent == 7.0


def _go_on(project: Project, case_id: str | None) -> None:
    """As a worker that is started again."""
    for found in project.rounds():
        job_status(found)
        EventWriter(found.events_path).write("warning", message="after it all")
        assert read_events(found.events_path)[-1]["message"] == "after it all"
        assert "after it all" in job_status(found).warnings
    round_summaries(project)


def _labels(path: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (path / "labels").rglob("*.nrrd")}
