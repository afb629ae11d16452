"""The machines that a training can run on, besides this computer: read, set up, tested and removed in tasks."""

from __future__ import annotations

from collections.abc import Callable

from metassl.jobs import get_launcher
from metassl.machines import Check, Machine, list_machines, remove_machine, write_machine

from ...Signal import Signal
from ...Translation import _

THIS_COMPUTER = ""


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
        self.isBusy = False
        self.checks: dict[str, list[Check]] = {}
        """What the last test of each has found."""
        self.changed = Signal()
        """() of any of these."""

    def read(self) -> None:
        """Read the list."""
        self._run(list_machines, self._take, quietly=True)

    def saveAndTest(self, machine: Machine) -> None:
        """Set a machine up, and find out whether a training could run there, which takes up to some minutes."""

        def work() -> tuple[list[Machine], list[Check]]:
            write_machine(machine)
            return list_machines(), get_launcher(machine.kind, machine.name).check()

        def done(result: tuple[list[Machine], list[Check]]) -> None:
            self.checks[machine.name] = result[1]
            self._take(result[0])

        self.checks.pop(machine.name, None)
        self._run(work, done)

    def remove(self, name: str) -> None:
        """Forget a machine."""

        def work() -> list[Machine]:
            remove_machine(name)
            return list_machines()

        self._run(work, self._take)

    def isReady(self, name: str) -> bool | None:
        """Whether its last test found nothing wrong; None where it was not tested since Slicer was started."""
        checks = self.checks.get(name)
        return None if checks is None else all(check.is_fine for check in checks)

    def device(self, name: str) -> str:
        """What it trains on, where the last test has told."""
        words = next((check.words for check in self.checks.get(name, ()) if check.what == "GPU"), "")
        return words.partition(";")[0]

    def _take(self, machines: list[Machine]) -> None:
        self.known = {machine.name: machine for machine in machines}

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
