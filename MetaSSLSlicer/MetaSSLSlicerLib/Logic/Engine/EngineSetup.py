"""Is this computer ready to train, and on what? Asked once, in the background, and remembered."""

from __future__ import annotations

from metassl.files import MetaSSLError

from ...Durations import duration
from ...Signal import Signal
from ...Translation import _
from .Dependencies import Dependencies, Requirement
from .EngineCheck import EngineCheck
from .EngineProcess import EngineProcess
from .EnginePython import EnginePython
from .Installation import Installation


class EngineSetup:
    """The Python that trains, and what is known about it.

    `state`: "unknown", "missing" (packages are), "installing", "checking", "ready" or "failed". Call `poll` now and
    then. `installation`: the one that runs, or how the last one ended.
    """

    def __init__(self, python: EnginePython, dependencies: Dependencies) -> None:
        self.python, self.dependencies = python, dependencies
        self.state = "unknown"
        self.missing: list[Requirement] = []
        self.check: EngineCheck | None = None
        self.changed = Signal()
        """() the state changed, or an installation got on."""
        self.installed = Signal()
        """(renewed) an installation ended well; `renewed`: what Slicer has loaded in a former version."""
        self.installation: Installation | None = None
        self._loaded: dict[str, str | None] = {}
        self._process: EngineProcess | None = None

    def lookAgain(self) -> None:
        """Look for what is missing; when nothing is, begin to try the Python out."""
        if self.state == "installing":
            return
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

    def take(self, missing: list[Requirement]) -> None:
        """What is missing, as found in a task while the panel opened."""
        if self.state == "unknown" and self.python.isOwn and missing:
            self.missing = missing
            self._become("missing")

    def poll(self) -> None:
        """Take in how a check or an installation gets on. Returns at once."""
        if self.state == "installing":
            self._pollInstallation()
            return
        result = self._process.poll() if self._process is not None else None
        if result is None:
            return
        self._process = None
        self.check = EngineCheck.of(result)
        self.python.versions = self.check.versions
        self._become("ready" if self.check.ready else "failed")

    def install(self) -> None:
        """Begin to install what is missing; `poll` goes on with it. MetaSSLError when it cannot be done here."""
        if self.state == "installing":
            return
        self.installation = None
        self.lookAgain()
        if self.state != "missing":
            return
        steps = self.dependencies.steps(self.missing)
        self._loaded = self.dependencies.packages.loaded()
        self.installation = Installation(steps, self.python.startInstall)
        self._become("installing")

    def _pollInstallation(self) -> None:
        self.installation.poll()
        if self.installation.isRunning:
            self.changed.emit()
            return
        done = self.installation.state == "done"
        self.state = "unknown"
        self.lookAgain()
        if done and not self.missing:
            self.installation = None
            after = self.dependencies.packages.loaded()
            self.installed.emit([name for name, version in self._loaded.items() if after.get(name) != version])

    def usePython(self, path: str) -> None:
        """Train with another Python; "": Slicer's own. MetaSSLError when there is none at `path`."""
        if self.state == "installing":
            raise MetaSSLError(_("Wait until the installation has ended, or cancel it."))
        self.python.use(path)
        self.lookAgain()

    def deviceLine(self, minutes: float) -> str:
        """What will train, in a line; on a CPU with its time, as nobody asked for a CPU."""
        if self.state == "missing":
            return _("Not ready yet: {packages} must be installed first.").format(
                packages=self.dependencies.describe(self.missing)
            )
        if self.state == "installing":
            return self.installation.headline
        if self.state == "failed":
            return _("This computer cannot train yet. The top of the panel says why.")
        if self.state != "ready":
            return _("Looking for a GPU ...") if self.state == "checking" else ""
        onCpu = self.check.device == "cpu"
        text = (
            _("No GPU can be used. Will train on the {name}: about {time} until the first case can be reviewed")
            if onCpu
            else _("Will train on {name}: about {time} until the first case can be reviewed")
        )
        return text.format(name=self.check.deviceName, time=duration(60 * minutes))

    def close(self) -> None:
        """End a check or an installation that is under way."""
        if self.state == "installing":
            self.installation.end()
            self.state = "unknown"
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _become(self, state: str) -> None:
        self.state = state
        self.changed.emit()
