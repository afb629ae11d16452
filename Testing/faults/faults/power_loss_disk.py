"""A folder as a disk sees it: what of it would be left if the power went now.

A real disk keeps what was flushed, and of the rest any part. Here: of a file that was not flushed since it was
written, any beginning of the new bytes, or zeros; of the entries of a folder that was not flushed (new, renamed and
removed files), the first so many changes, and not the others. Each folder is on its own.
"""

from __future__ import annotations

import builtins
import io
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

STEPS = ("replace", "rename", "unlink", "remove", "mkdir", "rmdir", "fsync")

Entries = dict[int, dict[str, int]]


@dataclass
class Moment:
    """What lies on the disk for sure, and what is under way."""

    entries: Entries
    """By the number of a folder: the numbers of its files and folders, by name."""
    pending: list[tuple[int, dict[str, int | None]]]
    """Changes in a folder that were not flushed, in order; None: removed."""
    flushed: dict[int, bytes]
    present: dict[int, bytes]


@dataclass
class WatchedDisk:
    """Watches a folder while something is done in it; `moments` are all that a power loss could hit."""

    root: Path
    moments: list[Moment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = self.root.stat().st_ino
        self.seen, self.present = self._scan()
        self.entries = {number: dict(names) for number, names in self.seen.items()}
        self.flushed = dict(self.present)
        self.pending: list[tuple[int, dict[str, int | None]]] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Every call inside that makes, renames, removes or flushes something is a moment, before and after it."""
        with mock.patch.multiple(os, **{name: self._stepping(getattr(os, name)) for name in STEPS}):
            with mock.patch.object(builtins, "open", self._stepping(open)):
                with mock.patch.object(io, "open", self._stepping(io.open)):
                    yield
        self._look()

    def _stepping(self, call):
        def step(*arguments, **options):
            self._look()
            result = call(*arguments, **options)
            if call.__name__ == "fsync":
                self._note_flushed(os.fstat(arguments[0]).st_ino)
            self._look()
            return result

        return step

    def _note_flushed(self, number: int) -> None:
        if number in self.present:
            self.flushed[number] = self.present[number]
        else:
            for folder, change in self.pending:
                if folder == number:
                    _apply(self.entries, folder, change)
            self.pending = [each for each in self.pending if each[0] != number]

    def _look(self) -> None:
        """Note what changed, and the moment."""
        seen, present = self._scan()
        for number, names in seen.items():
            before = self.seen.get(number, {})
            change = {name: new for name, new in names.items() if before.get(name) != new}
            change |= dict.fromkeys(before.keys() - names.keys())
            if change:
                self.pending.append((number, change))
        gone = self.present.keys() - present.keys()
        self.flushed = {number: data for number, data in self.flushed.items() if number not in gone}
        self.flushed |= {number: self.present[number] for number in gone if number in _numbers(self.entries)}
        changed = seen != self.seen or present != self.present
        self.seen, self.present = seen, present
        moment = Moment(
            {number: dict(names) for number, names in self.entries.items()},
            list(self.pending),
            dict(self.flushed),
            dict(present),
        )
        if changed or not self.moments or moment != self.moments[-1]:
            self.moments.append(moment)

    def _scan(self) -> tuple[Entries, dict[int, bytes]]:
        entries: Entries = {}
        present: dict[int, bytes] = {}
        folders = [(self.root, self.home)]
        while folders:
            folder, number = folders.pop()
            names = entries[number] = {}
            for entry in os.scandir(folder):
                names[entry.name] = own = entry.stat().st_ino
                if entry.is_dir():
                    folders.append((Path(entry.path), own))
                else:
                    descriptor = os.open(entry.path, os.O_RDONLY)
                    present[own] = os.read(descriptor, 1 << 24)
                    os.close(descriptor)
        return entries, present


def leave(moment: Moment, home: int, target: Path, dice: random.Random, kept: str = "any") -> None:
    """Write into the new folder `target` what a power loss at that moment leaves of the folder with the number `home`.

    `kept`: of what was not flushed "none", "all" or "any" part is there.
    """
    entries = {number: dict(names) for number, names in moment.entries.items()}
    for folder in dict.fromkeys(folder for folder, _ in moment.pending):
        changes = [change for number, change in moment.pending if number == folder]
        count = {"none": 0, "all": len(changes)}.get(kept, dice.randint(0, len(changes)))
        for change in changes[:count]:
            _apply(entries, folder, change)
    folders = {number for number in entries} | {number for number, _ in moment.pending}
    _write(home, target, entries, folders, moment, dice, kept)


def _write(
    number: int, target: Path, entries: Entries, folders: set[int], moment: Moment, dice: random.Random, kept: str
) -> None:
    target.mkdir()
    for name, own in entries.get(number, {}).items():
        if own in moment.present or own in moment.flushed:
            (target / name).write_bytes(_content(own, moment, dice, kept))
        else:
            _write(own, target / name, entries, folders, moment, dice, kept)


def _content(number: int, moment: Moment, dice: random.Random, kept: str) -> bytes:
    old = moment.flushed.get(number, b"")
    new = moment.present.get(number, old)
    if old == new or kept == "all":
        return new
    if kept == "none":
        return old
    whole = new if new.startswith(old) else dice.choice([old, new])
    length = dice.randint(min(len(old), len(whole)), len(whole))
    rest = len(whole) - length
    return whole[:length] + bytes(dice.choice([0, rest]))


def _apply(entries: Entries, folder: int, change: dict[str, int | None]) -> None:
    names = entries.setdefault(folder, {})
    for name, number in change.items():
        if number is None:
            names.pop(name, None)
        else:
            names[name] = number


def _numbers(entries: Entries) -> set[int]:
    return {number for names in entries.values() for number in names.values()}
