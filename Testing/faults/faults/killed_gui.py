"""Slicer's side is killed (SIGKILL) while it autosaves and while it saves: at random moments, and between two steps.

Each kill is followed by a new process that opens the case again, says what it finds, and goes on drawing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from metassl.files import MetaSSLError
from metassl.project import Project
from metassl.project.annotations import version_of

from .campaigns import Outcome
from .killed_gui_states import CASE, Notes, state
from .killed_worker_cohort import GRID, ball_project

TESTING = Path(__file__).parents[2]
PATHS = [str(TESTING / "faults"), str(TESTING / "support"), str(TESTING.parent / "MetaSSLSlicer")]
KINDS = {"drawing": "GUI killed in mid-autosave", "saving": "GUI killed in mid-save"}
MOST_STEPS = 70
DELAYS = {"drawing": 0.6, "saving": 0.15}
PATIENCE_S = 300.0


@dataclass
class Gui:
    """One process of Slicer's side after the other on the same project."""

    folder: Path
    project: Path
    notes: Notes
    known: int = 0
    """The newest state that must not be lost any more."""
    process: subprocess.Popen | None = None

    def start(self, step: int) -> tuple[np.ndarray, bool]:
        """Start the next process; what it shows once the case is open, and whether it says that it was restored."""
        result = self.folder / "result.npz"
        result.unlink(missing_ok=True)
        command = [sys.executable, "-m", "faults.killed_gui_child", self.project, self.notes.path, result, str(step)]
        log = open(self.folder / "log.txt", "ab")  # noqa: SIM115
        with log:
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)}
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE_S
        while not result.exists():
            alive = self.process.poll() is None and time.monotonic() < end
            assert alive, f"the process does not open the case: see {self.folder / 'log.txt'}"
            time.sleep(0.01)
        with np.load(result) as found:
            return found["shown"], bool(found["restored"])

    def kill(self, word: str, step: int, random: np.random.Generator) -> str:
        """Have the process killed while it does what `word` notes; the word of what it really did."""
        if step == 0:
            begun = len(self.notes.all(word))
            while len(self.notes.all(word)) == begun and self.process.poll() is None:
                time.sleep(0.002)
            time.sleep(random.uniform(0, DELAYS[word]))
            self.process.kill()
        self.process.wait(PATIENCE_S)
        return "saving" if self.notes.last_word() == "saving" else "drawing"


def run(times: int, folder: Path, seed: int) -> list[Outcome]:
    """Kill `times` times, half of them between two steps of a write; an outcome for autosaving and one for saving."""
    ball_project(folder / "project", folder / "images")
    gui = Gui(folder, folder / "project", Notes(folder / "notes.txt"))
    random, hits, lost, messages, last = np.random.default_rng(seed), Counter(), Counter(), {}, ""
    for number in range(times + 1):
        step = int(random.integers(1, MOST_STEPS)) if number % 4 > 1 else 0
        shown, restored = gui.start(step)
        if last:
            problems = check(gui, shown, restored)
            hits[last] += 1
            lost[last] += bool(problems)
            if problems:
                messages[last] = problems[0]
                print(f"  kill {number} ({last}): {'; '.join(problems)}", file=sys.stderr)
        if number < times:
            last = gui.kill(list(KINDS)[number % 2], step, random)
    gui.process.kill()
    gui.process.wait(PATIENCE_S)
    return [Outcome(KINDS[w], hits[w], lost[w], hits[w] - lost[w], messages.get(w, "")) for w in KINDS]


def check(gui: Gui, shown: np.ndarray, restored: bool) -> list[str]:
    """What is lost, or neither old nor new, after a kill; [] when nothing is."""
    newest, saved = gui.notes.last("drawing"), gui.notes.last("saved")
    gui.known = max(gui.known, gui.notes.last("autosaved", "saved"))
    back = next((n for n in range(newest, -1, -1) if np.array_equal(shown, state(n))), None)
    wrong = []
    if back is None or back < gui.known:
        wrong.append(f"state {back} came back, where {gui.known} to {newest} had been drawn")
    else:
        gui.known = back
    try:
        project = Project.open(gui.project)
        for number in gui.notes.all("saved"):
            version = version_of(state(number), GRID)
            if not np.array_equal(project.read_label(CASE, version)[0], state(number)):
                wrong.append(f"the label saved as state {number} is another one")
        begun = [n for n in gui.notes.all("saving") if n >= saved]
        wrong += label_problems(project, saved, begun, restored)
    except MetaSSLError as error:
        wrong.append(str(error))
    return wrong


def label_problems(project: Project, saved: int, begun: list[int], restored: bool) -> list[str]:
    """What is wrong with the present label: it must be the one that was saved last, or the one that was being saved."""
    recorded = project.case(CASE).label_version
    if recorded is None:
        return [f"state {saved} was saved, and the case has no label"] if saved else []
    wrong = []
    if recorded not in {version_of(state(n), GRID) for n in {saved, *begun} if n}:
        wrong.append(f"the label is neither state {saved} nor one that was being saved")
    if not project.case(CASE).is_labelled:
        wrong.append(f"the case has a label and is {project.case(CASE).state}")
    if version_of(*project.read_label(CASE)) != recorded and not restored:
        wrong.append("the label's file is not of the version that the case list names")
    return wrong
