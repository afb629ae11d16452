"""A project that was moved is whole in its new place, and no part of it comes to life in the old one."""

import pytest
from faults import moved
from faults.sample_project import GRID, label, make_project, write_images
from metassl.files import ProjectError
from metassl.jobs import EventWriter
from metassl.networks.checkpoint import save_checkpoint
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFormat import autosavePath, writeAutosave


def test_a_project_can_be_moved_at_any_time(tmp_path):
    outcome = moved.run(12, tmp_path, seed=1)
    assert outcome.lost == 0, outcome.message
    assert "there is no project folder" in outcome.message


def test_nothing_is_written_where_the_project_was(tmp_path):
    project = make_project(tmp_path / "project", write_images(tmp_path / "images"))
    found = project.new_round({"labels": {}})
    events = EventWriter(found.events_path)
    project.path.rename(tmp_path / "elsewhere")
    for write in (
        lambda: writeAutosave(autosavePath(project, "scan_1"), label(1), GRID, project.labels),
        lambda: save_checkpoint(found.last_checkpoint_path, {"step": 1}),
        lambda: EventWriter(found.events_path),
        lambda: events.write("progress"),
        lambda: project.new_round({"labels": {}}),
    ):
        with pytest.raises(ProjectError, match="there is no (project )?folder .*project"):
            write()
    assert not project.path.exists()
