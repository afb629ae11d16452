"""Wheels made up on the spot, and a Slicer's Python into which the real pip installs them without any network."""

from __future__ import annotations

import importlib.metadata
import os
import zipfile
from pathlib import Path

from MetaSSLSlicerLib.Logic.Engine.Installation import Step

_WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def make_wheel(folder: Path, name: str, version: str, files: dict[str, str] | None = None) -> Path:
    """A wheel of `name` with these files (path to text), or with an empty module."""
    files = files or {f"{name}.py": ""}
    info = f"{name}-{version}.dist-info"
    meta = {f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", f"{info}/WHEEL": _WHEEL}
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for place, text in {**files, **meta}.items():
            wheel.writestr(place, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{place},,\n" for place in [*files, *meta, f"{info}/RECORD"]))
    return path


class WheelShelf:
    """Packages in `target`, which pip fills from the wheels in `wheels`: both folders are made in `folder`.

    `monkeypatch` points pip there. torch and monai are missing; the light-the-torch here calls pip, as the real one.
    """

    def __init__(self, folder: Path, monkeypatch, extension: bool = True) -> None:
        self.wheels, self.target, self.extension = folder / "wheels", folder / "target", extension
        self.before: list[Step] = []
        for each in (self.wheels, self.target):
            each.mkdir()
        for name, value in {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_TARGET": str(self.target),
            "PIP_CONFIG_FILE": os.devnull,
            "PYTHONPATH": str(self.target),
        }.items():
            monkeypatch.setenv(name, value)
        call = "import subprocess, sys\nsys.exit(subprocess.call([sys.executable, '-m', 'pip', *sys.argv[1:]]))\n"
        light = {"light_the_torch/__init__.py": "", "light_the_torch/__main__.py": call}
        make_wheel(self.wheels, "light_the_torch", "0.7.5", light)

    def offer(self, *names: str) -> None:
        """Put wheels of these packages into the index."""
        for name in names:
            make_wheel(self.wheels, name, "99.0")

    def version(self, name: str) -> str | None:
        """What lies in the target."""
        if name in ("SimpleITK", "numpy"):
            return "99"
        found = list(importlib.metadata.distributions(name=name, path=[str(self.target)]))
        return found[0].version if found else None

    def loaded(self) -> dict[str, str | None]:
        """Nothing of it is in use."""
        return {}

    def hasPyTorchExtension(self) -> bool:
        """As said when it was made."""
        return self.extension

    def isInstalling(self) -> bool:
        """Nobody else does."""
        return False

    def torchSteps(self, versions: str) -> list[Step]:
        """As SlicerPackages with the extension."""
        return [
            *self.before,
            Step("light-the-torch", ("pip", "install", "light-the-torch>=0.5")),
            Step("torch", ("light_the_torch", "install", f"torch{versions}", "torchvision")),
        ]

    def steps(self, requirements: list[str]) -> list[Step]:
        """With pip."""
        return [Step("monai", ("pip", "install", *requirements))]
