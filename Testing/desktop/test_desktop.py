"""The journeys in a desktop Slicer, where one is named: SLICER=/path/to/Slicer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_journeys_in_desktop_slicer(tmp_path):
    slicer = os.environ.get("SLICER")
    if not slicer:
        pytest.skip("no desktop Slicer is named: make slicer-test SLICER=/path/to/Slicer")
    command = [sys.executable, str(Path(__file__).parent), "--slicer", slicer, "--out", str(tmp_path)]
    done = subprocess.run([*command, "--python", sys.executable], capture_output=True, text=True)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout[-2000:]
