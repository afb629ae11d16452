"""Python packages in Slicer: what is there, and Slicer's own ways to add some.

torch comes through the extension "PyTorch" only: it knows which build fits this computer's GPU.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util

from metassl.project import MetaSSLError

from ..Translation import _

REQUESTER = "MetaSSL"


class SlicerPackages:
    """The packages of the Python inside Slicer. None of them is imported here."""

    def version(self, name: str) -> str | None:
        """The installed version; None when it is not there, "" when it does not say."""
        importlib.invalidate_caches()
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return "" if importlib.util.find_spec(name) is not None else None

    def hasPyTorchExtension(self) -> bool:
        """Whether Slicer's extension "PyTorch" is installed."""
        return importlib.util.find_spec("PyTorchUtils") is not None

    def installTorch(self, versions: str) -> None:
        """Install torch of such `versions` (">=2.8") through the extension "PyTorch". Takes minutes."""
        from PyTorchUtils import PyTorchUtilsLogic

        if PyTorchUtilsLogic().installTorch(askConfirmation=False, torchVersionRequirement=versions) is None:
            raise MetaSSLError(_("torch was not installed. Try again, or look into Slicer's log (View > Error Log)."))

    def install(self, requirements: list[str]) -> None:
        """Install packages given like "monai>=1.5", with a progress window where Slicer has one."""
        try:
            from slicer.packaging import pip_ensure
        except ImportError:
            from slicer.util import pip_install

            pip_install(requirements)
            return
        from packaging.requirements import Requirement

        pip_ensure([Requirement(text) for text in requirements], requester=REQUESTER, prompt_install=False)
