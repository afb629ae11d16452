"""A label of the open case that comes in from elsewhere is told of when it comes, not when somebody saves."""

import importlib.util

import numpy as np
import pytest

if importlib.util.find_spec("slicer") is None:
    pytest.skip("slicer-core is not installed: pip install 'metassl[report]'", allow_module_level=True)

from metassl.imaging.writer import write_array
from metassl.intake import add_labels
from MetaSSLSlicerLib.Logic.Case import OutsideLabels
from opening import opened
from painting import paintTwoSlices


@pytest.fixture
def look(session, monkeypatch):
    """Looks at once, as the panel's timer does within some seconds; what was said since."""
    monkeypatch.setattr(OutsideLabels, "_EVERY_S", 0.0)
    session.tasks.finish()

    def now() -> list[str]:
        before = len(session.messages)
        session.tick()
        session.tasks.finish()
        return [message.text for message in session.messages[before:]]

    return now


def labelFromElsewhere(project, caseId: str, geometry, tmp_path) -> np.ndarray:
    array = np.zeros(geometry.shape_zyx, np.uint8)
    array[1:3, 2:5, 2:5] = 2
    (tmp_path / "labels").mkdir(exist_ok=True)
    write_array(tmp_path / "labels" / f"{caseId}.nrrd", array, geometry)
    add_labels(project, tmp_path / "labels", replace=True)
    return array


def test_another_label_of_the_open_case_is_told_once_and_shown_at_a_click(session, look, tiny_project, tmp_path):
    case = opened(session, "case_4")
    assert look() == []
    array = labelFromElsewhere(tiny_project, "case_4", case.data.geometry, tmp_path)
    (text,) = look()
    assert text.startswith("case_4 got another label meanwhile, by ")
    assert look() == []
    session.messages[-1].action()
    session.tasks.finish()
    assert session.case is not case and np.array_equal(session.case.currentArray(), array)
    assert look() == []


def test_strokes_are_kept_when_another_label_comes_in(session, look, tiny_project, tmp_path):
    case = opened(session, "case_4")
    paintTwoSlices(case)
    drawn = case.currentArray()
    labelFromElsewhere(tiny_project, "case_4", case.data.geometry, tmp_path)
    (text,) = look()
    assert "What you drew is kept" in text and session.messages[-1].action is None
    assert np.array_equal(case.currentArray(), drawn)


def test_a_label_that_is_saved_here_is_no_other_one(session, look, tiny_project):
    case = opened(session, "case_4")
    paintTwoSlices(case)
    session.writes.saveLabel()
    assert look() == [] and tiny_project.case("case_4").is_labelled
