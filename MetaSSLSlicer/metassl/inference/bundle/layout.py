"""Where what lies in the folder of a bundle (https://docs.monai.io/en/latest/mb_specification.html)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Files:
    """The files of the bundle in `folder`. `facts` is of MetaSSL alone: what MONAI has no place for."""

    folder: Path

    @property
    def metadata(self) -> Path:
        return self.folder / "configs" / "metadata.json"

    @property
    def inference(self) -> Path:
        return self.folder / "configs" / "inference.json"

    @property
    def logging(self) -> Path:
        return self.folder / "configs" / "logging.conf"

    @property
    def facts(self) -> Path:
        return self.folder / "configs" / "metassl.json"

    @property
    def model(self) -> Path:
        return self.folder / "models" / "model.pt"

    @property
    def error_model(self) -> Path:
        return self.folder / "models" / "error_model.pt"

    @property
    def network_code(self) -> Path:
        return self.folder / "scripts" / "unet.py"

    @property
    def readme(self) -> Path:
        return self.folder / "docs" / "README.md"

    @property
    def licence(self) -> Path:
        return self.folder / "LICENSE"
