"""The power goes in the middle of everything that a session writes: afterwards the old state is there, or the new."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

from .acts import ACTS, CREATE, Act
from .campaigns import Outcome
from .power_loss_disk import Moment, WatchedDisk, leave
from .sample_project import is_refused, label_versions, state_of, write_images


def run(times: int, folder: Path, seed: int) -> Outcome:
    """Cut the power `times` times, spread over all acts and their steps."""
    dice = random.Random(seed)
    images, disk = write_images(folder / "images"), folder / "disk"
    disk.mkdir()
    share = max(1, round(times / len(ACTS)))
    done, lost, message = 0, [], ""
    for act in ACTS:
        loss = PowerLoss(act, disk, images)
        for moment, kept in loss.choose(share, dice):
            done += 1
            if problem := loss.problem_after(moment, kept, folder / "after", dice):
                lost.append(f"{act.name}: {problem}")
            message = message or loss.message
    return Outcome("power lost while writing", done, len(lost), done - len(lost), lost[0] if lost else message)


class PowerLoss:
    """Does one act, and looks at what is left when the power goes within."""

    def __init__(self, act: Act, disk: Path, images: Path) -> None:
        self.act, self.images, self.message = act, images, ""
        self.old, self.versions = state_of(disk / "project"), label_versions(disk / "project")
        self.watched = WatchedDisk(disk)
        with self.watched.watching():
            act.do(disk / "project", images)
        self.new = state_of(disk / "project")

    def choose(self, count: int, dice: random.Random) -> list[tuple[Moment, str]]:
        """So many moments, the last one always among them, and what is kept of the part that was not flushed."""
        moments = self.watched.moments
        chosen = [(moments[-1], "none")]
        everything = [(moment, kept) for moment in moments for kept in ("none", "all", "any", "any", "any")]
        dice.shuffle(everything)
        while len(chosen) < count:
            chosen += everything
        return chosen[:count]

    def problem_after(self, moment: Moment, kept: str, target: Path, dice: random.Random) -> str:
        """What is wrong after a power loss at that moment; "" when nothing is."""
        leave(moment, self.watched.home, target, dice, kept)
        try:
            return self._problem(target, moment is self.watched.moments[-1])
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        finally:
            shutil.rmtree(target)

    def _problem(self, target: Path, is_over: bool) -> str:
        project = target / "project"
        state = state_of(project)
        if self.act.remade and self._without(state) == self._without(self.old) == self._without(self.new):
            state = self.old if state == self._without(state) else state
        if state not in (self.old, self.new):
            return "neither the old state nor the new"
        if is_over and self.act.lasting and state != self.new:
            return "the new state was lost though all was done"
        if not self.versions <= label_versions(project):
            return "a former version of a label is gone"
        if self.act.name == CREATE and state == {}:
            self.message = self.message or (is_refused(project) if project.exists() else "")
            return ""
        if state == self.old:
            self.act.do(project, self.images)
            if _names(state_of(project)) != _names(self.new):
                return "it cannot be done again"
        return ""

    def _without(self, state: dict) -> dict:
        return {name: value for name, value in state.items() if not name.endswith(self.act.remade)}


def _names(state: dict) -> set[str]:
    """What there is; a round may have the next number after one that was not finished."""
    return {re.sub(r"round \d+", "round", name) for name in state}
