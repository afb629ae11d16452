"""The machines that a training can run on, besides this computer: read, set up, tested and removed in tasks."""

from __future__ import annotations

from collections.abc import Callable

from metassl.jobs import get_launcher
from metassl.machines import (
    Begun,
    Check,
    Machine,
    list_machines,
    remove_machine,
    unfinished_on,
    unusable_machines,
    write_machine,
)

from ...Signal import Signal
from ...Translation import _

THIS_COMPUTER = ""
_List = tuple[dict[str, Machine], dict[str, str]]


def kindTexts() -> dict[str, str]:
    """What to call each kind of machine."""
    return {
        "ssh": _("a computer over ssh"),
        "ssh+slurm": _("a Slurm cluster over ssh"),
        "slurm": _("a Slurm cluster, from here"),
    }


class Machines:
    """For the GUI thread. What goes wrong is told by `session`."""

    def __init__(self, session) -> None:
        self._session = session
        self.known: dict[str, Machine] = {}
        """As they were when they were last read."""
        self.unusable: dict[str, str] = {}
        """What is wrong with the entries of the list that are none of a machine."""
        self.isBusy = False
        self.checks: dict[str, list[Check]] = {}
        """What the last test of each has found."""
        self.changed = Signal()
        """() of any of these."""

    def read(self) -> None:
        """Read the list."""
        self._run(_readList, self._take, quietly=True)

    def saveAndTest(self, machine: Machine) -> None:
        """Set a machine up, and find out whether a training could run there, which takes up to some minutes."""

        def work() -> tuple[_List, list[Check]]:
            write_machine(machine)
            return _readList(), get_launcher(machine.kind, machine.name).check()

        def done(result: tuple[_List, list[Check]]) -> None:
            self.checks[machine.name] = result[1]
            self._take(result[0])

        self.checks.pop(machine.name, None)
        self._run(work, done)

    def remove(self, name: str) -> None:
        """Forget a machine."""

        def work() -> _List:
            remove_machine(name)
            return _readList()

        self._run(work, self._take)

    def unfinished(self, name: str, take: Callable[[list[Begun]], None]) -> None:
        """Hand over what was begun there from here and is not finished; the machine is not asked."""
        self._run(lambda: unfinished_on(name), take)

    def isReady(self, name: str) -> bool | None:
        """Whether its last test found nothing wrong; None where it was not tested since Slicer was started."""
        checks = self.checks.get(name)
        return None if checks is None else all(check.is_fine for check in checks)

    def device(self, name: str) -> str:
        """What it trains on, where the last test has told."""
        words = next((check.words for check in self.checks.get(name, ()) if check.what == "GPU"), "")
        return words.partition(";")[0]

    def _take(self, read: _List) -> None:
        self.known, self.unusable = read

    def _run(self, work: Callable, take: Callable, quietly: bool = False) -> None:
        def done(result: object) -> None:
            self.isBusy = False
            take(result)
            self.changed.emit()

        def failed(error: Exception) -> None:
            self.isBusy = False
            self._session.fail(error)
            self.changed.emit()

        self.isBusy = not quietly
        self._session.tasks.run(work, done, failed)
        self.changed.emit()


def _readList() -> _List:
    return {machine.name: machine for machine in list_machines()}, unusable_machines()
