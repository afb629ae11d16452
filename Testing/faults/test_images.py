"""An image that was replaced after it was annotated is noticed, and nothing is overwritten."""

import pytest
from faults import images
from faults.sample_project import make_project, write_images
from metassl.training.inputs import InputReader


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "project", write_images(tmp_path / "images"), labelled=2)


def test_a_replaced_or_removed_image_stops_its_case_and_no_other(tmp_path):
    outcome = images.run(12, tmp_path, seed=1)
    assert outcome.lost == 0, outcome.message
    assert outcome.recovered == 12 and "case scan_" in outcome.message


def test_an_annotation_that_is_accepted_again_belongs_to_the_new_image(project):
    images.replaced(project.image_paths("scan_0")[0], 50)
    images.accept_again(project, "scan_0")
    found = project.new_round(images._record(project))
    assert images.prepare(project, found) == {}
    assert images.readCase(project, "scan_0").warnings == []


def test_what_was_drawn_on_another_image_is_not_saved_unasked(project):
    version = project.case("scan_1").label_version
    said = images.shown_then_replaced(project, "scan_1")
    assert "case scan_1" in said and "was replaced after the case was opened" in said
    assert project.case("scan_1").label_version == version


def test_a_project_of_a_former_version_knows_no_hashes_and_is_trained_on_as_before(project):
    project.update_case("scan_0", image_hashes=[])
    images.replaced(project.image_paths("scan_0")[0], 51)
    assert images.prepare(project, project.new_round(images._record(project))) == {}


def test_a_label_that_another_program_changed_is_told_and_the_accepted_one_is_trained_on(project):
    path = project.label_path("scan_0")
    images.write_array(path, images.label(9), images.GRID)
    accepted = project.read_label("scan_0")[0]
    told = []
    found = project.new_round(images._record(project))
    reader = InputReader(project, found, lambda event, **fields: told.append(fields["message"]))
    prepared = {case.id: case.label for case in reader.prepare(images.PLAN, lambda done, total: None).labelled}
    assert (prepared["scan_0"] == accepted).all()
    (warning,) = told
    assert warning.startswith(f"case scan_0: another program has changed {path}")
    (said,) = images.readCase(project, "scan_0").warnings
    assert "case scan_0" in said and str(path) in said
