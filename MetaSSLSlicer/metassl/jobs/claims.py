"""Many processes share a list of cases through a folder, without a server: who has made a file has the case.

CASE.N in the folder is the N-th claim on a case; its owner touches it now and then. One that was given back, or not
touched for a while as its process is lost, is followed by CASE.N+1: a file can be made once only, so one process makes
it, and no number is ever used again. What is done is CASE.done, what failed CASE.failed with the reason. So a look at
all cases is one listing of one folder.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from metassl.files.atomic import TEMPORARY, make_folder, write_text, writing

LEASE_S = 300.0
"""So long a claim holds that nobody touches."""
TOUCHES, SUSPICIOUS = 10, 3
"""In each such time; and after how many that are missing a process may be lost."""
_DONE, _FAILED = "done", "failed"
_MISSES = 3
"""So many cases in a row that others have taken meanwhile: the folder is listed anew."""


@dataclass(frozen=True)
class Standings:
    """Where a list of cases stands, by one listing. claims: the number of the newest claim on a case."""

    claims: dict[str, int]
    done: set[str]
    failed: set[str]

    @property
    def over(self) -> set[str]:
        """The cases that nobody needs to do any more."""
        return self.done | self.failed


def look(folder: Path) -> Standings:
    """Where the cases stand whose claims are in `folder`."""
    claims: dict[str, int] = {}
    done, failed = set(), set()
    for entry in os.listdir(folder):
        case, _, mark = entry.rpartition(".")
        if entry.startswith(TEMPORARY) or not case:
            continue
        if mark == _DONE:
            done.add(case)
        elif mark == _FAILED:
            failed.add(case)
        elif mark.isdecimal():
            claims[case] = max(claims.get(case, 0), int(mark))
    return Standings(claims, done, failed)


def reason_of(folder: Path, case: str) -> str:
    """Why a case failed."""
    return (folder / f"{case}.{_FAILED}").read_text(encoding="utf-8").strip()


class Claims:
    """The claims in `folder` on `cases` of the process `owner`. `calls` counts what the file system was asked for."""

    def __init__(self, folder: Path, cases: Sequence[str], owner: str, lease_s: float = LEASE_S) -> None:
        self.folder, self.cases, self.owner, self.lease_s = make_folder(Path(folder)), list(cases), owner, lease_s
        self.calls: Counter[str] = Counter()
        self._random = random.Random(owner)
        self._mine: tuple[str, int] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_touching, daemon=True, name="metassl-claim")
        self._thread.start()

    def take(self, first: int = 0) -> Iterator[str]:
        """One case after the other, until all are over, or on their way in the hands of processes that live.

        first: where in the list to begin, so that many processes do not ask for the same ones. What was taken is given
        back when the next is asked for, unless it was told `done` or `failed`.
        """
        while True:
            seen = self._look()
            over = seen.over
            left = [case for case in self.cases if case not in over]
            free = [case for case in left if case not in seen.claims]
            ages = {case: self._age(case, seen.claims[case]) for case in left if case in seen.claims}
            lost = [case for case, age in ages.items() if age > self.lease_s]
            candidates = [(case, 0) for case in _from(free, self._begin(free, first))]
            candidates += [(case, seen.claims[case] + 1) for case in lost]
            first, misses = -1, 0
            for case, number in candidates:
                if self._make(case, number):
                    misses = 0
                    yield case
                    self.give_back()
                else:
                    misses += 1
                if misses >= _MISSES:
                    break
            if not candidates:
                if not any(age > SUSPICIOUS * self.lease_s / TOUCHES for age in ages.values()):
                    return
                time.sleep(self.lease_s / TOUCHES)

    @property
    def number(self) -> int:
        """How many claims on the case that was taken last there were before."""
        return 0 if self._mine is None else self._mine[1]

    @property
    def is_mine(self) -> bool:
        """Whether the case that was taken last is still this process's own, and was not taken over as lost."""
        if self._mine is None:
            return False
        case, number = self._mine
        self.calls["stat"] += 1
        return not self._path(case, number + 1).exists()

    def done(self) -> bool:
        """The case that was taken last is done; whether nobody else has done it before."""
        if self._mine is None:
            return False
        case, _ = self._mine
        self._mine = None
        return self._create(self.folder / f"{case}.{_DONE}")

    def failed(self, reason: str) -> None:
        """The case that was taken last cannot be done."""
        if self._mine is not None:
            case, _ = self._mine
            self._mine = None
            self.calls["create"] += 1
            write_text(self.folder / f"{case}.{_FAILED}", reason + "\n", durable=False)

    def give_back(self) -> None:
        """Somebody else may do the case that was taken last, unless it is over."""
        mine, self._mine = self._mine, None
        if mine is not None:
            self.calls["touch"] += 1
            with contextlib.suppress(OSError):
                os.utime(self._path(*mine), (0, 0))

    def close(self) -> None:
        """Give back what is taken, and touch nothing any more."""
        self._ended.set()
        self._thread.join()
        self.give_back()

    def __enter__(self) -> Claims:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _look(self) -> Standings:
        self.calls["listing"] += 1
        return look(self.folder)

    def _begin(self, free: Sequence[str], first: int) -> int:
        """Its own share at the first time; what others have left, anywhere in it."""
        if first >= 0 and free:
            wanted = set(self.cases[first:])
            return next((place for place, case in enumerate(free) if case in wanted), 0)
        return self._random.randrange(len(free)) if free else 0

    def _make(self, case: str, number: int) -> bool:
        if not self._create(self._path(case, number)):
            return False
        if number:  # who had it before may have ended it since the folder was listed
            self.calls["stat"] += 2
            if any((self.folder / f"{case}.{mark}").exists() for mark in (_DONE, _FAILED)):
                return False
        self._mine = case, number
        return True

    def _create(self, path: Path) -> bool:
        """Make a file; whether it was not there."""
        self.calls["create"] += 1
        with writing(path):
            try:
                with open(path, "x", encoding="utf-8") as stream:
                    stream.write(self.owner + "\n")
            except FileExistsError:
                return False
        return True

    def _path(self, case: str, number: int) -> Path:
        return self.folder / f"{case}.{number}"

    def _age(self, case: str, number: int) -> float:
        """Seconds since the owner has touched it, by the clock of the file system."""
        self.calls["stat"] += 1
        try:
            return self._now() - self._path(case, number).stat().st_mtime
        except OSError:
            return 0.0

    def _now(self) -> float:
        at, said = getattr(self, "_clock", (float("-inf"), 0.0))
        if time.monotonic() - at > self.lease_s / TOUCHES:
            self.calls["create"] += 1
            probe = self.folder / f"{TEMPORARY}{secrets.token_hex(6)}"
            with writing(probe):
                probe.touch()
                said, at = probe.stat().st_mtime, time.monotonic()
                probe.unlink()
            self._clock = (at, said)
        return said + time.monotonic() - at

    def _keep_touching(self) -> None:
        while not self._ended.wait(self.lease_s / TOUCHES):
            if (mine := self._mine) is not None:
                self.calls["touch"] += 1
                with contextlib.suppress(OSError):
                    os.utime(self._path(*mine))


def _from(items: Sequence[str], place: int) -> list[str]:
    return [*items[place:], *items[:place]]
