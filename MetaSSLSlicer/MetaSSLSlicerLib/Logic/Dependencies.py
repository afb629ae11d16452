"""What training needs in Slicer's own Python, and what of it is missing. Nothing of it is imported."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from metassl.project import MetaSSLError

from ..Translation import _

REQUIREMENTS = Path(__file__).resolve().parents[2] / "Resources" / "requirements.txt"
_LINE = re.compile(r"([A-Za-z0-9._-]+)\s*(?:>=\s*([0-9.]+))?\s*$")
_INTEL_MAC = ("darwin", "x86_64")
_SIZES_MB = {"torch": (200, 3000), "monai": (2, 2), "SimpleITK": (50, 50), "numpy": (20, 20)}


class Packages(Protocol):
    """Where packages come from; see SlicerPackages."""

    def version(self, name: str) -> str | None: ...

    def hasPyTorchExtension(self) -> bool: ...

    def installTorch(self, versions: str) -> None: ...

    def install(self, requirements: list[str]) -> None: ...


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
    """Finds what is missing and, when the user agrees, installs it."""

    def __init__(self, packages: Packages, confirm: Callable[[str], bool], path: Path = REQUIREMENTS) -> None:
        """`confirm(question)` asks the user once, before anything is installed."""
        self._packages, self._confirm, self._path = packages, confirm, path

    def missing(self) -> list[Requirement]:
        """What is not there, or too old. Takes a few ms."""
        version = self._packages.version
        return [entry for entry in readRequirements(self._path) if not entry.isMetBy(version(entry.name))]

    def lacksExtension(self) -> bool:
        """Whether torch is missing, and Slicer's extension that installs it too."""
        return any(entry.name == "torch" for entry in self.missing()) and not self._packages.hasPyTorchExtension()

    @staticmethod
    def describe(missing: list[Requirement]) -> str:
        """ "torch (200 MB, or 3 GB for an NVIDIA GPU) and monai (2 MB)"."""
        parts = [_describe(entry.name) for entry in missing]
        if len(parts) < 2:
            return "".join(parts)
        return _("{first} and {last}").format(first=", ".join(parts[:-1]), last=parts[-1])

    def install(self) -> bool:
        """Ask, then install what is missing; False when the user says no.

        Takes minutes, in which Slicer hardly answers. MetaSSLError when it cannot be done or fails.
        """
        missing = self.missing()
        if not missing:
            return True
        torch = next((entry for entry in missing if entry.name == "torch"), None)
        if torch is not None and (sys.platform, platform.machine()) == _INTEL_MAC:
            raise MetaSSLError(noTorchForSlicer(torch.versions))
        if torch is not None and not self._packages.hasPyTorchExtension():
            raise MetaSSLError(noPyTorchExtension())
        question = _(
            "Training needs {packages} in Slicer's Python. Slicer downloads and installs this now, "
            "which takes some minutes. It does not answer meanwhile. Go on?"
        )
        if not self._confirm(question.format(packages=self.describe(missing))):
            return False
        try:
            if torch is not None:
                self._packages.installTorch(torch.versions)
            others = [entry.text for entry in missing if entry is not torch]
            if others:
                self._packages.install(others)
        except MetaSSLError:
            raise
        except Exception as error:  # pip, the network and the extension fail in many ways
            raise MetaSSLError(
                _(
                    "The installation failed: {reason} Check the internet connection and the free space on the disk, "
                    "and try again. Slicer's log (View > Error Log) has the details."
                ).format(reason=_sentence(error))
            ) from error
        if left := self.missing():
            names = ", ".join(entry.text for entry in left)
            raise MetaSSLError(
                _("After the installation {names} is still missing. Restart Slicer and try again.").format(names=names)
            )
        return True


def noTorchForSlicer(versions: str) -> str:
    """What to do on a Mac: Slicer is a program for Intel's there, and the last torch for those is 2.2."""
    return _(
        "There is no torch {versions} for the Python inside Slicer on a Mac. Install Python for this Mac, with the "
        "packages {packages}, and choose it in the section Setup."
    ).format(versions=versions, packages=", ".join(entry.text for entry in readRequirements()))


def noPyTorchExtension() -> str:
    """What to do when Slicer's extension "PyTorch" is not there."""
    return _(
        "torch is installed by Slicer's extension \"PyTorch\", which is not there yet. Open the Extensions Manager, "
        "install \"PyTorch\", restart Slicer and press Train again. Or choose another Python in the section Setup."
    )


def _describe(name: str) -> str:
    least, most = _SIZES_MB.get(name, (0, 0))
    if not least:
        return name
    if most == least:
        return _("{name} ({size})").format(name=name, size=_size(least))
    return _("{name} ({least}, or {most} for an NVIDIA GPU)").format(
        name=name, least=_size(least), most=_size(most)
    )


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


def _sentence(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0].strip()
    return first if first.endswith((".", "!", "?")) else f"{first}."
