"""The doctor: what it finds, and that a library that crashes does not take it along."""

from __future__ import annotations

import getpass
import json
from pathlib import Path

import pytest
import torch
from metassl import doctor
from metassl.cli import main
from metassl.doctor import CHECKS, CRASH_ADVICE, anonymous, examine, memory_total
from metassl.files.memory import memory_free
from metassl.jobs.process import host_name


def put_library(folder: Path, name: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library `name` that child processes find before the real one."""
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))


def states(names: list[str], **options) -> dict[str, str]:
    return {finding.name: finding.state for finding in examine(names, **options)}


def test_every_quick_check_has_a_finding_in_order():
    names = ["python", "cores", "memory", "write access", "numpy", "SimpleITK"]
    findings = list(examine(names))
    assert [finding.name for finding in findings] == names
    assert {finding.state for finding in findings} <= {"ok", "note"}
    assert all(finding.text for finding in findings)
    assert findings[1].text.startswith(str(findings[1].facts["cores"]))


def test_a_torch_that_crashes_is_reported_and_the_rest_go_on(tmp_path, monkeypatch):
    put_library(tmp_path, "torch", "import os\nos.abort()\n", monkeypatch)
    findings = {finding.name: finding for finding in examine(["python", "torch", "cores"])}
    assert findings["torch"].state == "failed"
    assert "crashed" in findings["torch"].text
    assert findings["torch"].advice == CRASH_ADVICE["torch"]
    assert findings["python"].state == findings["cores"].state == "ok"


def test_a_torch_that_cannot_be_imported_is_reported(tmp_path, monkeypatch):
    put_library(tmp_path, "torch", "raise ImportError('a DLL is missing')\n", monkeypatch)
    (finding,) = examine(["torch"])
    assert finding.state == "failed"
    assert finding.text == "ImportError: a DLL is missing"


def test_a_check_that_hangs_is_given_up(tmp_path, monkeypatch):
    put_library(tmp_path, "torch", "import time\ntime.sleep(600)\n", monkeypatch)
    (finding,) = examine(["torch"], patience_s=2.0)
    assert finding.state == "failed"
    assert "no answer" in finding.text


def test_what_a_library_prints_is_not_taken_for_a_finding(tmp_path, monkeypatch):
    noise = 'print("hello")\nprint("{}")\nprint(\'{"name": "torch"}\')\nraise ImportError("no")\n'
    put_library(tmp_path, "torch", noise, monkeypatch)
    assert states(["torch", "cores"]) == {"torch": "failed", "cores": "ok"}


def test_a_failed_check_makes_the_exit_code_one_and_json_says_so(tmp_path, monkeypatch, capsys):
    put_library(tmp_path, "torch", "raise ImportError('not here')\n", monkeypatch)
    assert main(["doctor", "--json"]) == 1
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert result["ok"] is False
    assert [check["name"] for check in result["checks"]] == list(CHECKS)
    failed = {check["name"] for check in result["checks"] if check["state"] == "failed"}
    assert failed == {"torch", "GPU", "monai"}
    assert "FAILED" in printed.err


def test_names_of_people_and_computers_are_left_out():
    home, user, host = str(Path.home()), getpass.getuser(), host_name()
    text = anonymous(f"cannot read {home}/secret of {user} on {host}")
    assert f"{home}/" not in text
    assert f" {user} " not in text
    assert not text.endswith(host)


def test_a_name_inside_a_word_is_no_name(monkeypatch):
    monkeypatch.setattr("metassl.doctor._user", lambda: "ana")
    assert anonymous("the analysis of ana") == "the analysis of USER"


def test_the_memory_of_this_computer_is_known():
    assert memory_total() > 1 << 28
    free = memory_free()
    assert free is None or 0 <= free <= memory_total()


def test_a_training_step_is_timed_with_its_wait_for_data_and_its_memory(tiny_plan, monkeypatch):
    monkeypatch.setattr(doctor, "MEASURED_SECONDS", 0.0)
    monkeypatch.setattr("metassl.training.speed.usual_plan", lambda device: tiny_plan())
    threads = torch.get_num_threads()
    try:
        state, text, _advice, facts = doctor.measure_training()
    finally:
        torch.set_num_threads(threads)
    assert state in ("ok", "note") and "patch 16 x 16 x 16, 1 labelled + 1 unlabelled, fp32" in text
    assert facts["seconds_per_step"] > 0 and 0 <= facts["data_wait_share"] < 1 and facts["memory_mb"] > 10
    assert facts["steps_per_second"] == pytest.approx(1 / facts["seconds_per_step"], rel=0.01)
    json.dumps(facts)


def test_a_full_memory_is_a_note_of_the_measurement(monkeypatch):
    def full(device):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("metassl.training.speed.usual_plan", full)
    assert doctor.measure_training()[0] == "note"


def test_only_who_asks_for_it_waits_for_the_measurement(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(doctor, "examine", lambda names=None: asked.append(names) or [])
    assert main(["doctor"]) == main(["doctor", "--measure"]) == 0
    assert asked == [None, [*CHECKS, "training"]]
