"""What training needs in Slicer's own Python, what of it is missing, and how Slicer adds it. Nothing of it is imported.

torch comes through the extension "PyTorch" only: it knows which build fits this computer's GPU.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from metassl.files import MetaSSLError

from ...Translation import _
from .Installation import Step

REQUIREMENTS = Path(__file__).resolve().parents[3] / "Resources" / "requirements.txt"
_LINE = re.compile(r"([A-Za-z0-9._-]+)\s*(?:>=\s*([0-9.]+))?\s*$")
_INTEL_MAC = ("darwin", "x86_64")
BUNDLED = ("numpy", "SimpleITK")
"""These come with Slicer, and Slicer itself uses them."""

_LISTS_OF_FILES = ("RECORD", "installed-files.txt", "SOURCES.txt")
_LIGHT_THE_TORCH = "light-the-torch>=0.5"  # by which the extension "PyTorch" finds the build for the GPU
_SIZES_MB = {"torch": (200, 3000), "monai": (2, 2), "SimpleITK": (50, 50), "numpy": (20, 20)}


class Packages(Protocol):
    """Where packages come from; see SlicerPackages."""

    def version(self, name: str) -> str | None: ...

    def loaded(self) -> dict[str, str | None]: ...

    def hasPyTorchExtension(self) -> bool: ...

    def isInstalling(self) -> bool: ...

    def torchSteps(self, versions: str) -> list[Step]: ...

    def steps(self, requirements: list[str]) -> list[Step]: ...


@dataclass(frozen=True)
class Requirement:
    """A line of requirements.txt: a package and the lowest version that will do ("" for any)."""

    name: str
    minimum: str

    @property
    def versions(self) -> str:
        """ ">=2.8", or "" for any."""
        return f">={self.minimum}" if self.minimum else ""

    @property
    def text(self) -> str:
        """The line itself."""
        return self.name + self.versions

    def isMetBy(self, version: str | None) -> bool:
        """Whether that version will do; None is a package that is not there, "" one that does not say."""
        if version is None:
            return False
        return not version or _release(version) >= _release(self.minimum)


def readRequirements(path: Path = REQUIREMENTS) -> list[Requirement]:
    """The requirements in a file of lines like "torch>=2.8"."""
    found = []
    for line in path.read_text("utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if line and (match := _LINE.match(line)):
            found.append(Requirement(match[1], match[2] or ""))
    return found


class Dependencies:
    """Finds what is missing, and how to install it."""

    def __init__(self, packages: Packages, path: Path = REQUIREMENTS) -> None:
        self.packages, self._path = packages, path

    def missing(self) -> list[Requirement]:
        """What is not there, or too old. Takes a few ms; may be called in a task."""
        version = self.packages.version
        return [entry for entry in readRequirements(self._path) if not entry.isMetBy(version(entry.name))]

    def obstacle(self, missing: list[Requirement]) -> str:
        """Why that cannot be installed here, and what to do; "" when it can."""
        torch = _torchIn(missing)
        if torch is not None and (sys.platform, platform.machine()) == _INTEL_MAC:
            return noTorchForSlicer(torch.versions)
        return noPyTorchExtension() if self.lacksExtension(missing) else ""

    def lacksExtension(self, missing: list[Requirement]) -> bool:
        """Whether torch is missing, and Slicer's extension that installs it too."""
        return _torchIn(missing) is not None and not self.packages.hasPyTorchExtension()

    @staticmethod
    def describe(missing: list[Requirement]) -> str:
        """ "torch (200 MB, or 3 GB for an NVIDIA GPU) and monai (2 MB)"."""
        parts = [_describe(entry) for entry in missing]
        if len(parts) < 2:
            return "".join(parts)
        return _("{first} and {last}").format(first=", ".join(parts[:-1]), last=parts[-1])

    def steps(self, missing: list[Requirement]) -> list[Step]:
        """What to run to install that; torch first, so that no other package brings one. MetaSSLError: it cannot be."""
        if obstacle := self.obstacle(missing):
            raise MetaSSLError(obstacle)
        if self.packages.isInstalling():
            raise MetaSSLError(_("Slicer is installing other packages. Try again when that is done."))
        torch = _torchIn(missing)
        steps = self.packages.torchSteps(torch.versions) if torch is not None else []
        others = [entry.text for entry in missing if entry is not torch]
        return steps + (self.packages.steps(others) if others else [])


def _torchIn(missing: list[Requirement]) -> Requirement | None:
    return next((entry for entry in missing if entry.name == "torch"), None)


def noTorchForSlicer(versions: str) -> str:
    """What to do on a Mac: Slicer is a program for Intel's there, and the last torch for those is 2.2."""
    return _(
        "There is no torch {versions} for the Python inside Slicer on a Mac. Install Python for this Mac, with the "
        "packages {packages}, and choose it here."
    ).format(versions=versions, packages=", ".join(entry.text for entry in readRequirements()))


def noPyTorchExtension() -> str:
    """What to do when Slicer's extension "PyTorch" is not there."""
    return _(
        'torch comes through Slicer\'s extension "PyTorch", which is not there yet: get it in the Extensions Manager, '
        "and restart Slicer."
    )


def _describe(entry: Requirement) -> str:
    name = f"{entry.name} {entry.minimum}" if entry.name in BUNDLED else entry.name
    least, most = _SIZES_MB.get(entry.name, (0, 0))
    if not least:
        return name
    if most == least:
        return _("{name} ({size})").format(name=name, size=_size(least))
    return _("{name} ({least}, or {most} for an NVIDIA GPU)").format(name=name, least=_size(least), most=_size(most))


def _size(megabytes: int) -> str:
    if megabytes < 1000:
        return _("{number} MB").format(number=megabytes)
    return _("{number:.0f} GB").format(number=megabytes / 1000)


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version for comparison: "2.10.1+cu128" is (2, 10, 1), and 2.8.0 equals 2.8."""
    numbers = re.match(r"(?:\d+!)?(\d+(?:\.\d+)*)?", version.strip())
    parts = [int(part) for part in (numbers[1] or "0").split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


class SlicerPackages:
    """The packages of the Python inside Slicer. None of them is imported here."""

    def version(self, name: str) -> str | None:
        """The installed version; None when it is not there or only half, "" when it does not say."""
        importlib.invalidate_caches()
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            return "" if name in BUNDLED and importlib.util.find_spec(name) is not None else None
        # pip writes the list of files last; `found.files` reads the ten thousand of torch into objects
        if name not in BUNDLED and not any(map(found.read_text, _LISTS_OF_FILES)):
            return None
        return found.version

    def loaded(self) -> dict[str, str | None]:
        """What Slicer has loaded of the packages that come with it, with the versions on the disk."""
        return {name: self.version(name) for name in BUNDLED if name in sys.modules}

    def hasPyTorchExtension(self) -> bool:
        """Whether Slicer's extension "PyTorch" is installed."""
        return importlib.util.find_spec("PyTorchUtils") is not None

    def isInstalling(self) -> bool:
        """Whether another module installs packages into Slicer just now; Slicer before 5.12 does not tell."""
        try:
            from slicer.packaging import isPipInstallInProgress
        except ImportError:
            return False
        return bool(isPipInstallInProgress())

    def torchSteps(self, versions: str) -> list[Step]:
        """How to install torch of such `versions` (">=2.8"): what the extension "PyTorch" would run.

        Its own `installTorch` stops Slicer for minutes and cannot be cancelled: that is only for an extension
        that does not say what it runs.
        """
        from PyTorchUtils import PyTorchUtilsLogic

        try:
            arguments = PyTorchUtilsLogic._getPipInstallArguments(None, versions, None)
        except (AttributeError, TypeError):
            return [Step("torch", call=lambda: _installTorch(PyTorchUtilsLogic(), versions))]
        return [
            Step("light-the-torch", ("pip", "install", _LIGHT_THE_TORCH)),
            Step("torch", ("light_the_torch", *map(str, arguments))),
        ]

    def steps(self, requirements: list[str]) -> list[Step]:
        """How to install packages given like "monai>=1.5"."""
        names = ", ".join(text.partition(">")[0] for text in requirements)
        return [Step(names, ("pip", "install", *requirements))]


def _installTorch(logic, versions: str) -> None:
    if logic.installTorch(askConfirmation=False, torchVersionRequirement=versions) is None:
        raise MetaSSLError(_("torch was not installed."))
