"""The next case is read while this one is looked at, and shown only as its files are when it is opened."""

import importlib.util
import shutil

import numpy as np
import pytest

if importlib.util.find_spec("slicer") is None:
    pytest.skip("slicer-core is not installed: pip install 'metassl[report]'", allow_module_level=True)

from metassl.imaging import write_array
from MetaSSLSlicerLib.Logic.Case import CaseAhead
from opening import opened
from painting import paintTwoSlices
from predicting import predict


def readAhead(session, caseId: str) -> None:
    session.ahead.want(caseId)
    session.tick()
    session.tasks.finish()


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The cases that are read while they are opened, as none was read before."""
    from MetaSSLSlicerLib.Logic.Case import Session

    found = []

    def read(project, caseId, ours, readCase=Session.readCase):
        found.append(caseId)
        return readCase(project, caseId, ours)

    monkeypatch.setattr(Session, "readCase", read)
    return found


def test_a_case_that_was_read_ahead_is_shown_without_reading_it_again(session, tiny_project, make_grid, reads):
    predict(tiny_project, "case_4", make_grid())
    opened(session, "case_3")
    readAhead(session, "case_4")
    assert session.ahead.caseId == "case_4" and reads == ["case_3"]
    case = opened(session, "case_4")
    assert reads == ["case_3"] and case.hasPrediction and case.data.heat[0] == "uncertainty"
    assert session.ahead.caseId == "", "it is held once, not beside the one that is shown"


def test_nothing_is_read_ahead_before_a_case_is_open(session):
    readAhead(session, "case_4")
    assert session.ahead.caseId == ""


def replaceImage(project, grid) -> None:
    write_array(project.image_paths("case_4")[0], np.full(grid.shape_zyx, 7, np.int16), grid)


def label(project, grid) -> None:
    project.add_label("case_4", (np.ones(grid.shape_zyx, np.uint8), grid))


def predictAgain(project, grid) -> None:
    project.new_round({"labels": {}})
    predict(project, "case_4", grid)


def rewritePrediction(project, grid) -> None:
    path = project.prediction("case_4")[1].segmentation
    write_array(path, np.full(grid.shape_zyx, 2, np.uint8), grid)


@pytest.mark.parametrize("change", [replaceImage, label, predictAgain, rewritePrediction])
def test_what_another_program_changed_meanwhile_is_read_again(session, tiny_project, make_grid, reads, change):
    predict(tiny_project, "case_4", make_grid())
    opened(session, "case_3")
    readAhead(session, "case_4")
    change(tiny_project, make_grid())
    case = opened(session, "case_4")
    assert reads == ["case_3", "case_4"]
    fresh = tiny_project.case("case_4")
    assert case.data.labelVersion == fresh.label_version and case.data.state == fresh.state
    assert case.data.predictedBy == tiny_project.prediction("case_4")[0].number


@pytest.mark.parametrize("what", ["casesChanged", "roundsChanged"])
def test_what_this_panel_changed_is_read_again_beforehand(session, tiny_project, make_grid, reads, what):
    opened(session, "case_3")
    readAhead(session, "case_4")
    predict(tiny_project, "case_4", make_grid())
    getattr(session, what).emit(*([["case_4"]] if what == "casesChanged" else []))
    assert session.ahead.caseId == ""
    session.tick()
    session.tasks.finish()
    assert opened(session, "case_4").hasPrediction and reads == ["case_3"]


def test_another_order_lets_the_former_one_go(session, reads):
    opened(session, "case_3")
    readAhead(session, "case_4")
    readAhead(session, "case_5")
    assert session.ahead.caseId == "case_5"
    opened(session, "case_4")
    assert reads == ["case_3", "case_4"] and session.ahead.caseId == "case_5"


def test_another_project_lets_it_go(session, tiny_project, tmp_path):
    copy = shutil.copytree(tiny_project.path, tmp_path / "copy")
    opened(session, "case_3")
    readAhead(session, "case_4")
    session.openProject(copy)
    assert session.ahead.caseId == ""


@pytest.mark.parametrize(("most", "free"), [(10, 1 << 40), (1 << 30, 10)], ids=["a huge case", "little memory"])
def test_what_is_too_large_is_read_when_it_is_opened(session, monkeypatch, reads, most, free):
    monkeypatch.setattr(CaseAhead, "MOST_BYTES", most)
    monkeypatch.setattr(CaseAhead, "memory_free", lambda: free)
    opened(session, "case_3")
    readAhead(session, "case_4")
    assert session.ahead.caseId == ""
    opened(session, "case_4")
    assert reads == ["case_3", "case_4"]


def test_a_damaged_case_says_so_when_it_is_opened_and_not_before(session, tiny_project):
    opened(session, "case_3")
    tiny_project.image_paths("case_4")[0].write_bytes(b"torn")
    readAhead(session, "case_4")
    assert session.messages == [] and session.ahead.caseId == ""
    session.openCase("case_4")
    session.tasks.finish()
    (message,) = session.messages
    assert message.level == "error" and "case_4" in message.text


def test_unsaved_strokes_of_a_case_that_was_read_ahead_come_with_it(session, reads):
    first = opened(session, "case_4")
    paintTwoSlices(first)
    drawn = first.currentArray()
    opened(session, "case_3")
    readAhead(session, "case_4")
    case = opened(session, "case_4")
    assert reads == ["case_4", "case_3"] and case.isRestored
    assert (case.currentArray() == drawn).all()


def test_the_views_stand_still_until_the_next_case_is_there(session, services, monkeypatch):
    paused, drawn = [0], []
    monkeypatch.setattr(services, "pauseRender", lambda: paused.__setitem__(0, paused[0] + 1), raising=False)
    monkeypatch.setattr(services, "resumeRender", lambda: paused.__setitem__(0, paused[0] - 1), raising=False)
    session.caseOpened.connect(lambda case: drawn.append((case.id, paused[0])))
    opened(session, "case_3")
    opened(session, "case_4")
    session.closeCase()
    assert drawn == [("case_3", 1), ("case_4", 1)] and paused == [0]


def test_a_case_that_cannot_be_read_lets_the_views_draw_again(session, services, tiny_project, monkeypatch):
    paused = [0]
    monkeypatch.setattr(services, "pauseRender", lambda: paused.__setitem__(0, paused[0] + 1), raising=False)
    monkeypatch.setattr(services, "resumeRender", lambda: paused.__setitem__(0, paused[0] - 1), raising=False)
    tiny_project.image_paths("case_4")[0].write_bytes(b"torn")
    session.openCase("case_4")
    assert paused == [1]
    session.tasks.finish()
    assert paused == [0]


def test_the_nodes_of_the_case_before_are_gone_a_moment_later(session, services):
    first = opened(session, "case_3")
    nodes = first.nodes.allNodes()
    session.openCase("case_4")
    assert all(services.scene.IsNodePresent(node) for node in nodes)
    shown = [node.GetDisplayNode().GetVisibility() for node in nodes if node.IsA("vtkMRMLSegmentationNode")]
    assert shown == [0], "out of sight"
    session.tasks.finish()
    assert not any(services.scene.IsNodePresent(node) for node in nodes)


def test_all_that_is_left_of_the_case_before_goes_between_two_pictures(session, services, monkeypatch):
    first = opened(session, "case_3")
    nodes, left = first.nodes.allNodes(), []

    def draw() -> None:
        left.append(sum(bool(services.scene.IsNodePresent(node)) for node in nodes))

    monkeypatch.setattr(services, "pauseRender", lambda: None, raising=False)
    monkeypatch.setattr(services, "resumeRender", draw, raising=False)
    opened(session, "case_4")
    assert len(nodes) > 1 and left == [len(nodes), 0], "one picture of the next case, one when they are gone"
