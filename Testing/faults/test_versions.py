"""Projects of other versions: each released one opens and goes on, a newer one is refused in a sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from faults import versions
from faults.versions import REFUSED_BY, complaint, make_newer, released_projects
from in_process import trainings_in_this_process
from metassl import __version__
from metassl.files import ProjectError
from metassl.imaging import read_labels
from metassl.inference.model import TrainedModel
from metassl.inference.predict import predict_project
from metassl.jobs import job_status
from metassl.jobs.round_summary import round_summaries
from metassl.jobs.start import start_training
from metassl.project import Project
from MetaSSLSlicerLib.Logic.Project.RoundTable import RoundTable
from MetaSSLSlicerLib.Logic.Training.TrainingJob import JobGlance


@pytest.fixture(params=released_projects(), ids=lambda path: path.name)
def project(request, tmp_path) -> Project:
    """A copy of a project that a released version wrote."""
    shutil.copytree(request.param, tmp_path / "project")
    return Project.open(tmp_path / "project")


def test_this_version_has_its_project_to_be_opened_by_later_ones():
    assert __version__ in [path.name for path in released_projects()], "run: python Testing/data/projects/make.py"


def test_an_older_project_has_all_its_cases_labels_and_predictions(project):
    states = {case.id: (case.state, case.split) for case in project.cases.values()}
    assert states == {
        "case_0": ("corrected", "pool"),
        "case_1": ("labelled", "pool"),
        "case_2": ("labelled", "validation"),
        "case_3": ("predicted", "pool"),
    }
    assert (project.name, project.values, project.channels) == ("Größe", [0, 1, 3], ["T1"])
    label, _ = project.read_label("case_0")
    assert (label[0] == 255).all() and set(np.unique(label)) == {0, 1, 3, 255}
    (former,) = (project.path / "labels" / ".history").glob("case_0.74161d9eeb3e870c.nrrd")
    assert 255 not in read_labels(former, "case_0")[0]
    found, paths = project.prediction("case_3")
    assert found.number == 1 and job_status(found).state == "finished"
    assert set(np.unique(read_labels(paths.segmentation, "case_3")[0])) <= {0, 1, 3}


def test_a_round_that_wrote_no_status_is_shown_by_its_events(project, capsys):
    found = project.latest_round()
    found.status_path.unlink(missing_ok=True)  # later versions write one
    status = job_status(found)
    assert (status.state, status.stage, status.predicted) == ("finished", "ranking", 1) and status.elapsed_s > 0
    assert status.device == "cpu" and status.device_name and status.validation["dice"]["mean"] is not None
    (summary,) = round_summaries(project)
    assert (summary.state, summary.device, summary.dice) == (
        "finished",
        status.device_name,
        status.validation["dice"]["mean"],
    )
    (row,) = RoundTable().rows(project).rows
    assert row.summary == summary and row.isShown
    glance = JobGlance.of(project, None)
    assert glance.status == status and any(event.event == "progress" for event in glance.events)


def test_the_model_of_an_older_project_predicts_as_it_did(project):
    found, paths = project.prediction("case_3")
    before, _ = read_labels(paths.segmentation, "case_3")
    assert TrainedModel.load(found.model_path, torch.device("cpu")).step == 40
    torch.set_num_threads(1)
    predict_project(project, ["case_3"], "cpu")
    after, _ = read_labels(paths.segmentation, "case_3")
    assert len(np.unique(before)) > 1 and (before != after).mean() < 0.01


def test_every_command_reads_an_older_project(project):
    for name in ("status", "rank", "export", "report", "rounds"):
        assert versions.command(name, project.path)[0] == 0, name


def test_an_older_project_is_trained_on_from_its_round(project, monkeypatch):
    with trainings_in_this_process(monkeypatch):
        found = start_training(project, iterations=2, device="cpu")
    assert (found.number, found.record["parent"]) == (2, 1)
    assert job_status(found).state == "finished" and found.predicted_cases() == ["case_3"]


@pytest.mark.parametrize("file", REFUSED_BY)
def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(project, file):
    make_newer(project.path / file)
    for name in REFUSED_BY[file]:
        assert complaint(name, project.path, project.path / file)[0] == ""


def test_a_plan_and_a_prediction_of_a_newer_version_are_refused(project):
    found, paths = project.prediction("case_3")
    make_newer(paths.summary)
    code, said = versions.command("rank", project.path)
    assert code == 0 and said.count("newer MetaSSL") == 1 and str(paths.summary) in said
    make_newer(found.plan_path)
    from metassl.training.inputs import InputReader

    with pytest.raises(ProjectError, match=r"plan was written by a newer MetaSSL .* update MetaSSL"):
        InputReader(project, found, lambda *_, **__: None).plan("cpu", 1 << 30, None)


@pytest.mark.parametrize("setting", ["Official", "symetric", 1, ["official"]])
def test_a_region_map_that_nobody_knows_is_refused_before_it_is_trained(project, setting, monkeypatch):
    path: Path = project.path / "project.json"
    before = path.read_text("utf-8")
    with pytest.raises(ProjectError, match="'symmetric' or 'official'"):
        project.update_settings(region_map=setting)
    assert path.read_text("utf-8") == before
    document = {**json.loads(before), "settings": {"region_map": setting}}
    path.write_text(json.dumps(document), "utf-8")
    with pytest.raises(ProjectError, match="'symmetric' or 'official'"):
        start_training(project, iterations=1)
    assert len(project.rounds()) == 1


def test_a_region_map_of_the_two_is_taken_and_kept_with_the_model(project, monkeypatch):
    project.update_settings(region_map="official")
    with trainings_in_this_process(monkeypatch):
        found = start_training(project, iterations=1, device="cpu")
    assert TrainedModel.load(found.model_path, torch.device("cpu")).definition == "official"
    state = torch.load(found.model_path, weights_only=True)
    torch.save({**state, "definition": "offical"}, found.model_path)
    with pytest.raises(ProjectError, match=r"model\.pt .*'offical'.*'symmetric' or 'official'"):
        TrainedModel.load(found.model_path, torch.device("cpu"))


def test_the_campaign_in_short(tmp_path):
    outcome = versions.run(len(REFUSED_BY), tmp_path, 0)
    assert (outcome.lost, outcome.recovered) == (0, outcome.times), outcome.message
    assert "newer MetaSSL" in outcome.message
