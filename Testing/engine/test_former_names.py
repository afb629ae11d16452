"""What version 0.1 called otherwise: its projects open, its options work."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from metassl import cli
from metassl.inference.model import TrainedModel
from metassl.project import Project
from metassl.project.former_names import renamed
from metassl.project.round_files import read_error_rates, read_summary
from metassl.project.rounds import config_to_train

RELEASED = Path(__file__).parents[1] / "data" / "projects" / "0.1.0"


@pytest.fixture
def found(tmp_path):
    """The round of a project that version 0.1 has made."""
    shutil.copytree(RELEASED, tmp_path / "project")
    return Project.open(tmp_path / "project").latest_round()


def test_the_round_of_a_former_version_tells_its_framework(found):
    assert found.record["config"]["framework"] == "cps" and "host" not in found.record["config"]
    assert config_to_train(found.record, found.path)["framework"] == "cps"


def test_its_model_loads(found):
    model = TrainedModel.load(found.path / "checkpoints" / "model.pt", torch.device("cpu"))
    assert model.framework == "cps"


def test_its_summaries_and_rates_are_read_under_the_present_names(found):
    summary = read_summary(found.prediction("case_3").summary, "case_3")
    assert set(summary.uncertainty) == {"US", "DC", "DS"}
    rates = read_error_rates(found)
    assert "errors_in_flagged_share" in rates.uncertainty


def test_a_document_that_has_both_names_keeps_the_present_one():
    assert renamed({"host": "a", "framework": "b", "x": {"doubt": 1}}) == {"framework": "b", "x": {"uncertainty": 1}}


def test_the_former_option_and_command_still_work_and_are_not_shown(capsys):
    arguments = cli.build_parser().parse_args(["train", "P", "--host", "mt"])
    assert arguments.framework == "mt"
    assert cli.build_parser().parse_args(["train", "P"]).framework is None
    assert cli.main(["hosts"]) == 0
    assert "Mean Teacher" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    assert "--host" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert "hosts" not in capsys.readouterr().out
