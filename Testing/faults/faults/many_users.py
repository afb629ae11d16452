"""Two Slicers and a command line work on one project: on different cases and on the same ones, while a round trains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from metassl.files import MetaSSLError
from metassl.imaging import write_array
from metassl.jobs import job_status
from metassl.project import LABELLED_STATES, Project
from metassl.project.annotations import version_of
from predicting import predict

from .campaigns import Outcome
from .killed_gui import PATHS
from .killed_gui_states import state
from .killed_worker_cohort import GRID, SHAPE, ball_project

USERS = 2
LONGEST_S = 240.0
FEWEST = 4  # a round begins after two
MOVED_ON = "by somebody else"


def run(times: int, folder: Path, seed: int, train: bool = True) -> Outcome:
    """Until `times` labels were made by all together; then everything that was ever accepted must be there."""
    project = ball_project(folder / "project", folder / "images", cases=5)
    regions = np.ones(SHAPE, np.uint8)
    regions[8:12] = 4
    for case in project.unlabelled_cases():
        predict(project, case.id, GRID, state(7), regions)
    first = {case.id: case.label_version for case in project.cases.values()}
    stop, notes = folder / "stop", folder / "notes.jsonl"
    users = [_start(project.path, notes, seed * USERS + number, stop, folder) for number in range(USERS)]
    command_line = _CommandLine(project, folder, notes, np.random.default_rng(seed))
    end = time.monotonic() + LONGEST_S
    trained = None
    try:
        while len(_made(notes)) < max(times, FEWEST) and time.monotonic() < end:
            assert all(user.poll() is None for user in users), f"a Slicer died: see {folder / 'log.txt'}"
            command_line.label()
            if train and trained is None and len(_made(notes)) >= 2:
                trained = command_line.train()
            time.sleep(0.2)
    finally:
        stop.touch()
        codes = [user.wait(LONGEST_S) for user in users]
    wrong = [f"a Slicer ended with {code}" for code in codes if code] + problems(project, notes, first)
    if train:
        wrong += _round_problems(project, end, first, notes)
    for problem in wrong:
        print(f"  {problem}", file=sys.stderr)
    made, outrun = len(_made(notes)), [said for said in _lines(notes, "text") if MOVED_ON in said["text"]]
    message = wrong[0] if wrong else (outrun or [{"text": ""}])[0]["text"]
    lost = min(len(wrong), made)
    return Outcome(f"labels made side by side, {len(outrun)} outrun", made, lost, made - lost, message)


def problems(project: Project, notes: Path, first: dict[str, str | None]) -> list[str]:
    """What is lost of the labels that were accepted, or was overwritten unseen; [] when nothing is."""
    wrong, successors = [], defaultdict(set)
    known = {case_id: {version} - {None} for case_id, version in first.items()}
    for made in _made(notes):
        known[made["case"]].add(made["version"])
        if not made["forced"]:
            successors[made["case"], made["former"]].add(made["version"])
    doubly = [case_and_version for case_and_version, later in successors.items() if len(later) > 1]
    wrong += [f"what became of {str(version)[:8]} of {case} was overwritten unseen" for case, version in doubly]
    try:
        cases = Project.open(project.path).cases
        for case_id, versions in known.items():
            for version in versions:
                if version_of(*project.read_label(case_id, version)) != version:
                    wrong.append(f"the version {version[:8]} of {case_id} is another one")
            case = cases[case_id]
            if versions and (case.label_version not in versions or case.state not in LABELLED_STATES):
                wrong.append(f"{case_id} is {case.state} with the label {case.label_version}")
            if versions and version_of(*project.read_label(case_id)) != case.label_version:
                wrong.append(f"the label of {case_id} is not the one that the case list names")
    except MetaSSLError as error:
        wrong.append(str(error))
    return wrong


class _CommandLine:
    """`metassl label` and `metassl train`, each a process."""

    def __init__(self, project: Project, folder: Path, notes: Path, random: np.random.Generator) -> None:
        self.project, self.folder, self.notes, self.random, self.stroke = project, folder, notes, random, 10**9

    def run(self, *words: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "metassl", *map(str, words)]
        environment = {**os.environ, "PYTHONPATH": PATHS[-1]}
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    def label(self) -> None:
        case_id = str(self.random.choice([case.id for case in self.project.cases.values() if case.split == "pool"]))
        before = self.project.case(case_id).label_version
        self.stroke += 1
        path = self.folder / "drawn.nrrd"
        write_array(path, state(self.stroke), GRID)
        done = self.run("label", self.project.path, case_id, path, "--json")
        said = {"level": "error", "text": done.stderr.strip().split("\n")[-1]}
        assert done.returncode == 0 or MOVED_ON in said["text"], done.stderr
        if done.returncode == 0:  # what it saw as the former label is not told
            version = json.loads(done.stdout)["version"]
            said = {"case": case_id, "former": before, "version": version, "forced": True}
        with open(self.notes, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(said) + "\n")

    def train(self) -> bool:
        done = self.run("train", self.project.path, "--iterations", 3, "--device", "cpu", "--new-round", "--detach")
        assert done.returncode == 0, done.stderr
        return True


def _start(project: Path, notes: Path, seed: int, stop: Path, folder: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "faults.many_users_gui", project, notes, str(seed), stop]
    with open(folder / "log.txt", "ab") as log:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)}
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def _round_problems(project: Project, end: float, first: dict, notes: Path) -> list[str]:
    found = project.latest_round()
    while not (status := job_status(found)).is_over and time.monotonic() < end + 60:
        time.sleep(0.2)
    if status.state != "finished":
        return [f"the round is {status.state}: {status.message}"]
    known = set(first.values()) | {made["version"] for made in _made(notes)}
    strange = [version for version in found.record["labels"].values() if version not in known]
    return [f"the round learnt from a label that nobody accepted: {strange}"] if strange else []


def _lines(notes: Path, key: str) -> list[dict]:
    lines = notes.read_text(encoding="utf-8").split("\n")[:-1] if notes.exists() else []
    return [line for line in map(json.loads, lines) if key in line]


def _made(notes: Path) -> list[dict]:
    return _lines(notes, "version")
