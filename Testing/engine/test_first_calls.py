"""The first call of an elementwise function in a process is as accurate as all later ones."""

from __future__ import annotations

import subprocess
import sys

from machine import PATIENCE_S

TWICE = """
import metassl.networks, torch
torch.set_num_threads(2)
values = torch.rand(2, 24, 24, 24, generator=torch.Generator().manual_seed(0)) + 0.1
first = {name: getattr(torch, name)(values) for name in ("exp", "log", "sqrt")}
print([name for name in first if not torch.equal(first[name], getattr(torch, name)(values))])
"""
PROCESSES = 4  # side by side: where the first call is a race, one of them loses it more often than not


def test_fresh_processes_compute_the_same_the_first_time_as_the_second():
    started = [
        subprocess.Popen([sys.executable, "-c", TWICE], stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
    ]
    assert [process.communicate(timeout=PATIENCE_S)[0].strip() for process in started] == ["[]"] * PROCESSES
