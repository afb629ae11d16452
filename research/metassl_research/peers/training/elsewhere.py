"""Trains one peer: PYTHON elsewhere.py JOB_FOLDER

PYTHON needs the peer, torch, numpy and SimpleITK, not this package: its modules are found from here. Only those may be
imported by the peers that need nothing else.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

PACKAGES = "metassl", "metassl_research"


def main(folder: str, *places: str) -> None:
    """places: the folder of each of PACKAGES."""
    del sys.path[0]  # this folder, whose files are no modules of their own
    for name, place in zip(PACKAGES, places, strict=True):
        package = ModuleType(name)
        package.__path__ = [place]
        sys.modules[name] = package
    sys.modules["metassl"].__version__ = "elsewhere"  # type: ignore[attr-defined]
    job = importlib.import_module("metassl_research.peers.training.job").TrainingJob.read(Path(folder))
    with importlib.import_module("metassl.files.locks").file_lock(job.lock_path, 0.0):
        peer = importlib.import_module(f"metassl_research.peers.training.{job.peer}").peer(job)
        importlib.import_module("metassl_research.peers.training.timed").train(job, peer)


if __name__ == "__main__":
    main(*sys.argv[1:])
