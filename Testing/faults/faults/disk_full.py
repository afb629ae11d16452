"""The disk is full, at every step of everything that a session writes: said in a sentence, and nothing is lost."""

from __future__ import annotations

import errno
import random
from itertools import count
from pathlib import Path

from metassl.files import MetaSSLError

from .acts import ACTS, Act
from .campaigns import Outcome
from .disk_full_shim import FailingDisk, SmallDisk
from .sample_project import state_of, write_images

MOST_PAGES = 5
MOST_STEPS = 200
STEPS_IN_ALL = 310
"""Of all acts together, about."""
SENTENCE = "the disk is full"


def run(times: int, folder: Path, seed: int) -> Outcome:
    """Fill the disk `times` times: first at each step in turn, then, where one can be mounted, a really small one."""
    full = DiskFull(write_images(folder / "images"), random.Random(seed))
    for number in count():
        if full.times >= times:
            break
        disk = folder / f"disk{number}"
        if number == 0 or SmallDisk.why_not(folder):
            disk.mkdir()
            full.at_each_step(disk, times, errno.EDQUOT if number % 2 else errno.ENOSPC)
        else:
            full.on_a_small_disk(disk, times)
    lost = len(full.problems)
    message = full.problems[0] if lost else full.message
    return Outcome("disk full while writing", full.times, lost, full.times - lost, message)


class DiskFull:
    """Does all acts of a session, each again and again until the disk lets it through."""

    def __init__(self, images: Path, dice: random.Random) -> None:
        self.images, self.dice = images, dice
        self.times, self.problems, self.message = 0, [], ""

    def at_each_step(self, disk: Path, times: int, code: int) -> None:
        """Refuse the first step of each act, then its second ..., until it is done; for few times leave some out."""
        for act in ACTS:
            for at in range(1, MOST_STEPS, max(1, STEPS_IN_ALL // times)):
                failing = FailingDisk(disk, at if self.times < times else 10**9, code)
                with failing.failing():
                    done = self._try(act, disk / "project", failing)
                if done:
                    break
            else:
                self._note(act, "it cannot be done any more")

    def on_a_small_disk(self, disk: Path, times: int) -> None:
        """Leave a few pages free, do each act, and if there was no room for it, once more with room."""
        small = SmallDisk(disk, 1 << 20)
        try:
            for act in ACTS:
                if self.times < times:
                    small.fill(self.dice.randrange(MOST_PAGES))
                    done = self._try(act, disk / "project", None)
                    small.empty()
                    if done:
                        continue
                act.do(disk / "project", self.images)
        finally:
            small.close()

    def _try(self, act: Act, project: Path, failing: FailingDisk | None) -> bool:
        """Whether the act was done; what is wrong afterwards is noted."""
        old, said = state_of(project), None
        try:
            act.do(project, self.images)
        except MetaSSLError as error:
            said = str(error)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        if said is None and (failing is None or not failing.was_hit):
            state_of(project)  # what is said to be written can be read
            return True
        self.times += 1
        if said is None:
            self._note(act, "the disk was full and nobody said so")
            return True
        if SENTENCE not in said:
            self._note(act, f"it says {said!r}")
        self.message = self.message or said
        state = state_of(project)
        if act.remade:
            state, old = ({k: v for k, v in each.items() if not k.endswith(act.remade)} for each in (state, old))
        if state != old:
            self._note(act, "the old state is gone")
        if parts := list(project.rglob(".tmp-*")):
            self._note(act, f"{parts[0]} was left")
        return False

    def _note(self, act: Act, problem: str) -> None:
        self.problems.append(f"{act.name}: {problem}")
