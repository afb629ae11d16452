"""A Slurm for all tests of this folder; skipped, with a reason, where it is not installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from loopback import LoopbackSlurm, slurm_for
from metassl.machines import Machine, write_machine


@pytest.fixture(scope="session")
def slurm(tmp_path_factory) -> Iterator[LoopbackSlurm]:
    with slurm_for("slurm-test", tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture
def cluster(slurm, tmp_path, monkeypatch) -> Iterator[Machine]:
    """The machine "cluster"; both nodes are idle, and no job is left behind."""
    monkeypatch.setenv("METASSL_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("SLURM_CONF", slurm.environment["SLURM_CONF"])
    monkeypatch.setattr("metassl.machines.slurm.launcher.SlurmLauncher.every_s", 0.5)
    quick = tmp_path / "quick"
    quick.mkdir()
    (quick / "sitecustomize.py").write_text(QUICK, encoding="utf-8")
    machine = Machine("cluster", "slurm", setup=("export OMP_NUM_THREADS=1", f"export PYTHONPATH={quick}"))
    write_machine(machine)
    yield machine
    slurm.empty()


QUICK = """
import os, sys, time
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder

class Quick(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != "metassl.training.loop":
            return None
        spec = PathFinder.find_spec(name, path)
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            module.CHECKPOINT_SECONDS, module.CHECKPOINT_SHARE = 1.0, 1.0
            step = module.Trainer.train_step
            def slow_step(self, batch):
                time.sleep(float(os.environ.get("STEP_S", "0.1")))
                return step(self, batch)
            module.Trainer.train_step = slow_step
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Quick())
"""
"""Of a training in a node: a checkpoint every second, as a test cannot wait for half a minute; and slow steps."""
