"""Python packages in Slicer: what is there, and how Slicer adds some.

torch comes through the extension "PyTorch" only: it knows which build fits this computer's GPU.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys

from metassl.files import MetaSSLError

from ...Translation import _
from .Installation import Step

BUNDLED = ("numpy", "SimpleITK")
"""These come with Slicer, and Slicer itself uses them."""

_LISTS_OF_FILES = ("RECORD", "installed-files.txt", "SOURCES.txt")
_LIGHT_THE_TORCH = "light-the-torch>=0.5"  # by which the extension "PyTorch" finds the build for the GPU


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
