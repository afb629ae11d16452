"""The script for whoever has a GPU: what it leaves out it says, and what it has measured is never lost."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
import torch
from metassl.files.json_files import write_json

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    """Imported as the script itself does."""
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])


def test_parts_for_which_the_budget_is_too_short_are_left_out_with_the_reason():
    from gpu_check import EXPECTED_SECONDS, Check

    late = Check("cpu", False, None, deadline=time.monotonic() + 30)
    assert late.part("acdc after 4 min") == {"left_out": "it takes about 320 s, and 30 s were left of --budget"}
    over = Check("cpu", True, None, deadline=time.monotonic() - 1)
    assert all(over.part(name) == {"left_out": "nothing was left of --budget"} for name in EXPECTED_SECONDS)


def test_every_part_has_its_time_and_those_without_images_say_which_are_missing(tmp_path):
    from gpu_check import EXPECTED_SECONDS
    from gpu_parts import PARTS, Asked

    assert list(PARTS) == list(EXPECTED_SECONDS)
    asked = Asked(torch.device("cpu"), True, tmp_path)
    for name in ("hippocampus after 40 s", "acdc after 4 min"):
        assert "give --data the folder that holds Task" in PARTS[name](asked)["left_out"]


def test_what_was_measured_on_the_same_device_is_kept_and_the_rest_is_done_again(tmp_path):
    from gpu_check import measured_before

    out, about = tmp_path / "check.json", {"device": "A", "small": False}
    assert measured_before(out, {**about, "parts": {}}) == {}
    parts = {"speed": {"steps": 5}, "ct": {"left_out": "no time"}, "loss": {"failed": "no"}}
    write_json(out, {**about, "parts": parts})
    assert measured_before(out, {**about, "parts": {}}) == {"speed": {"steps": 5}}
    with pytest.raises(SystemExit, match="another device"):
        measured_before(out, {"device": "B", "small": False, "parts": {}})
