"""Results of one line a run: what a killed process left, what is none of ours, and what is asked before the work."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

import pytest
from metassl.commands.shared.console import Console
from metassl.files import MetaSSLError
from metassl.files.errors import BusyError
from metassl.files.locks import file_lock
from metassl_research.commands import adapt, peers, reproduce
from metassl_research.lines import add_run, torn_lines
from metassl_research.marked_page import marks
from metassl_research.peers.elsewhere import trained_elsewhere
from metassl_research.peers.runs import read_runs
from metassl_research.peers.settings import Run
from metassl_research.peers.training.job import TrainingJob


def known(seed: int, case: str = "Herz_ä") -> dict:
    run = Run("Boxes", "metassl", 3, 4.0, "wall", seed)
    figures = {"cases": {case: {"dice": 0.5, "hd95_mm": 1.0}}, "dice": 0.5, "steps": 1, "missed": 0}
    about = {"device": "cpu", "threads": 1, "versions": {}, "looks": [{"seconds": 1.0, "steps": 1, "dice": 0.5}]}
    return {**asdict(run), **figures, **about}


def command(module, *words: object) -> int:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    arguments = parser.parse_args([*map(str, words)])
    return module.run(arguments, Console(arguments.json))


def test_a_line_that_was_cut_anywhere_is_not_counted_and_told_and_the_others_are(tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    add_run(out, known(0))
    whole = out.read_bytes()
    umlaut = whole.index("ä".encode()) + 1
    for torn in (*(whole[:place] for place in (1, 5, 12, umlaut, len(whole) - 2)), b"\0" * 40):
        out.write_bytes(whole + torn)
        add_run(out, known(1))
        assert [run.seed for run in read_runs(out)] == [0, 1] and torn_lines(out) == [2]
    assert command(peers, "--table", "--out", out) == 0
    assert "out.jsonl: torn" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    "content",
    [
        "# A page\n\nof words\n",
        json.dumps({"time": "now", "run": {}}, indent=1),
        "[1]\n",
        '{"run": {"data": []}}\n',
        "ä".encode("latin-1"),
    ],
)
def test_a_file_of_something_else_is_named_with_the_line(tmp_path, content):
    out = tmp_path / "page.md"
    out.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(MetaSSLError, match=r"page\.md holds no results of .*see its line "):
        read_runs(out)


def test_a_line_without_its_figures_is_named(tmp_path):
    lacking = known(0)
    del lacking["cases"]
    add_run(tmp_path / "out.jsonl", lacking)
    with pytest.raises(MetaSSLError, match=r"out\.jsonl holds no results"):
        read_runs(tmp_path / "out.jsonl")


@pytest.mark.parametrize("module", [peers, adapt, reproduce])
def test_a_table_of_no_runs_names_the_file(module, tmp_path):
    out = tmp_path / "out.jsonl"
    with pytest.raises(MetaSSLError, match=r"there is no file .*out\.jsonl yet"):
        command(module, "--table", "--out", out)
    out.touch()
    with pytest.raises(MetaSSLError, match=r"out\.jsonl holds no run that is finished: run it without --table"):
        command(module, "--table", "--out", out)


@pytest.mark.parametrize("module", [peers, adapt, reproduce])
def test_a_page_without_a_place_for_the_tables_is_named_before_any_training(module, tmp_path):
    page = tmp_path / "page.md"
    words = ["--data", tmp_path / "none", "--out", tmp_path / "out.jsonl", "--page", page]
    for content, told in ((b"no marks", "has no place"), (b"\xe4", "cannot be read")):
        page.write_bytes(content)
        with pytest.raises(MetaSSLError, match=rf"page\.md {told}"):
            command(module, *words)
    page.write_text("\n".join(marks(tmp_path / "out.jsonl")), encoding="utf-8")
    with pytest.raises(MetaSSLError, match="none"):
        command(module, *words)
    assert sorted(tmp_path.iterdir()) == [page]


def test_two_processes_never_train_in_one_folder(tmp_path):
    job = TrainingJob(str(tmp_path / "job"), "nnunet", "", {}, 1.0, "wall", 1, "cpu", 0)
    job.path.mkdir()
    with file_lock(job.lock_path), pytest.raises(BusyError, match="still trained by a process that outlived"):
        trained_elsewhere(job, "/no/such/python")
    with pytest.raises(MetaSSLError, match="cannot start"):
        trained_elsewhere(job, "/no/such/python")
