"""Is this computer ready to train, and on what? Asked once, in the background, and remembered."""

from __future__ import annotations

from metassl.project import MetaSSLError

from ..Signal import Signal
from ..Translation import _
from .Dependencies import Dependencies, Requirement
from .Durations import duration
from .EngineCheck import EngineCheck
from .EngineProcess import EngineProcess
from .EnginePython import EnginePython


class EngineSetup:
    """The Python that trains, and what is known about it.

    `state`: "unknown", "missing" (packages are), "checking", "ready" or "failed". Call `poll` now and then.
    """

    def __init__(self, python: EnginePython, dependencies: Dependencies) -> None:
        self.python, self.dependencies = python, dependencies
        self.state = "unknown"
        self.missing: list[Requirement] = []
        self.check: EngineCheck | None = None
        self.changed = Signal()
        """() the state changed."""
        self._process: EngineProcess | None = None

    def lookAgain(self) -> None:
        """Look for what is missing; when nothing is, begin to try the Python out."""
        self.close()
        self.check = None
        self.missing = self.dependencies.missing() if self.python.isOwn else []
        if self.missing:
            self._become("missing")
            return
        try:
            self._process = self.python.startCheck()
        except MetaSSLError as error:
            self.check = EngineCheck(ready=False, problem=str(error))
            self._become("failed")
            return
        self._become("checking")

    def lookOnce(self) -> None:
        """Look, unless that was done already."""
        if self.state == "unknown":
            self.lookAgain()

    def poll(self) -> None:
        """Take in the result of a check that has ended. Returns at once."""
        result = self._process.poll() if self._process is not None else None
        if result is None:
            return
        self._process = None
        self.check = EngineCheck.of(result)
        self._become("ready" if self.check.ready else "failed")

    def install(self) -> bool:
        """Ask, install what is missing and look again; False when the user says no. MetaSSLError when it fails."""
        try:
            return self.dependencies.install()
        finally:
            self.lookAgain()

    def usePython(self, path: str) -> None:
        """Train with another Python; "": Slicer's own. MetaSSLError when there is none at `path`."""
        self.python.use(path)
        self.lookAgain()

    def deviceLine(self, minutes: float) -> str:
        """What will train, in a line; on a CPU with its time, as nobody asked for a CPU."""
        if self.state == "missing":
            return _("Not ready yet: {packages} must be installed first. Train asks before it does so.").format(
                packages=self.dependencies.describe(self.missing)
            )
        if self.state == "failed":
            return _("This computer cannot train yet. The section Setup says why.")
        if self.state != "ready":
            return _("Looking for a GPU ...") if self.state == "checking" else ""
        onCpu = self.check.device == "cpu"
        text = _("No GPU can be used. Will train on the {name}: about {time}") if onCpu else _(
            "Will train on {name}: about {time}"
        )
        return text.format(name=self.check.deviceName, time=duration(60 * minutes))

    def close(self) -> None:
        """End a check that is under way."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _become(self, state: str) -> None:
        self.state = state
        self.changed.emit()
