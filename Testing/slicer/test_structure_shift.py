"""Smaller or larger: a structure's boundary moved by a distance."""

import importlib.util

import numpy as np
import pytest

if importlib.util.find_spec("slicer") is None:
    pytest.skip("slicer-core is not installed: pip install 'metassl[report]'", allow_module_level=True)

from metassl.imaging import Geometry
from MetaSSLSlicerLib.Logic.Review import StructureShift as module
from MetaSSLSlicerLib.Logic.Review.StructureShift import MOST_STEPS, StructureShift
from MetaSSLSlicerLib.Logic.Scene.ShiftField import shiftField
from opening import opened
from painting import paintSegment
from predicting import predict

GRID = Geometry((40, 36, 30), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))


def ball(radius: float, center=(15, 18, 20), shape=GRID.shape_zyx) -> np.ndarray:
    axes = np.ogrid[tuple(slice(0, n) for n in shape)]
    return sum((axis - middle) ** 2 for axis, middle in zip(axes, center, strict=True)) <= radius**2


def whole(field, mm: float) -> np.ndarray:
    mask = np.zeros(GRID.shape_zyx, bool)
    mask[field.box] = field.moved(mm)
    return mask


@pytest.mark.parametrize("mm", [-3.0, -1.0, 1.0, 2.5, 4.0])
def test_the_boundary_of_a_ball_moves_by_that_distance_to_half_a_voxel(mm):
    moved = whole(shiftField(ball(9).astype(np.uint8), 1, GRID, 5.0), mm)
    assert ball(9 + mm - 0.5).sum() <= moved.sum() <= ball(9 + mm + 0.5).sum()
    assert not (moved & ~ball(9 + mm + 1)).any() and not (ball(9 + mm - 1) & ~moved).any()


def test_no_distance_is_the_structure_itself_and_each_step_holds_the_one_before():
    rough = ball(8) & (np.random.default_rng(1).random(GRID.shape_zyx) > 0.2)
    field = shiftField(rough.astype(np.uint8), 1, GRID, 5.0)
    assert (whole(field, 0.0) == rough).all()
    steps = [whole(field, mm) for mm in np.arange(-5, 5.25, 0.25)]
    assert not any((smaller & ~larger).any() for smaller, larger in zip(steps, steps[1:], strict=False))
    sizes = [step.sum() for step in steps]
    assert len(set(sizes)) > 20, "a step of a quarter voxel is seen, and not a whole layer at once"


def test_other_structures_are_never_touched():
    labels = np.where(ball(9), 1, 0).astype(np.uint8)
    labels[:, :, 27:] = 2
    labels[28:] = 255
    moved = whole(shiftField(labels, 1, GRID, 6.0), 6.0)
    assert moved.sum() > ball(9).sum() and set(np.unique(labels[moved])) == {0, 1}


def test_it_moves_by_millimetres_along_every_axis():
    thick = Geometry((40, 40, 12), (1.0, 1.0, 5.0), (0.0, 0.0, 0.0), GRID.direction)
    labels = np.zeros(thick.shape_zyx, np.uint8)
    labels[4:8, 10:30, 10:30] = 1
    field = shiftField(labels, 1, thick, 4.0)
    mask = np.zeros(thick.shape_zyx, bool)
    mask[field.box] = field.moved(3.0)
    assert mask[5, 20, 7] and mask[5, 20, 32] and not mask[5, 20, 5], "three millimetres in the slice"
    assert not mask[3].any() and not mask[8].any(), "the next slice is five millimetres away"


def test_a_structure_at_the_border_or_without_a_voxel():
    full = np.ones((4, 5, 6), np.uint8)
    grid = Geometry((6, 5, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), GRID.direction)
    assert shiftField(full, 1, grid, 2.0).moved(-1.0).all(), "it has no boundary"
    assert shiftField(full, 2, grid, 2.0) is None


@pytest.fixture
def shift(session, tiny_project, make_grid):
    """On a case that is being corrected; `saved` counts the states that can be undone."""
    predict(tiny_project, "case_3", make_grid())
    case = opened(session, "case_3")
    case.startEditing(case.data.prediction.segmentation.copy())
    shift = StructureShift(session, lambda: shift.saved.append(case.currentArray()))
    shift.saved = []
    shift.setCase(case)
    shift.choose(1)
    return shift


def test_the_segment_follows_and_one_state_is_kept_for_an_undo(session, shift):
    before = session.case.currentArray()
    for steps in (2, 5, 8):
        shift.move(steps)
        session.tasks.finish()
    larger = session.case.currentArray()
    assert (larger == 1).sum() > (before == 1).sum() and session.case.isModified
    assert shift.steps == 8 and shift.growth > 0
    assert len(shift.saved) == 1 and (shift.saved[0] == before).all()
    shift.move(-4)
    assert (session.case.currentArray() == 1).sum() < (before == 1).sum()
    shift.move(0)
    assert (session.case.currentArray() == before).all() and shift.growth is None


def test_another_edit_is_where_the_next_move_begins(session, shift, make_grid):
    shift.move(4)
    session.tasks.finish()
    mask = session.case.currentArray() == 1
    mask[0:2, 0:3, 0:3] = True
    paintSegment(session.case.nodes.annotationNode, "Label_1", mask, make_grid())
    assert shift.steps == 0
    shift.move(1)
    session.tasks.finish()
    assert session.case.currentArray()[0:2, 0:3, 0:3].all() and len(shift.saved) == 2


def test_the_other_segment_stays_as_it_is(session, shift, make_grid):
    other = np.zeros(make_grid().shape_zyx, bool)
    other[8:, :, :] = True
    paintSegment(session.case.nodes.annotationNode, "Label_2", other, make_grid())
    shift.move(MOST_STEPS)
    session.tasks.finish()
    assert ((session.case.currentArray() == 2) == other).all()


def test_moves_that_come_faster_than_they_are_computed_end_at_the_last(session, shift, monkeypatch):
    monkeypatch.setattr(module, "_INLINE_VOXELS", 0)
    for steps in range(1, 7):
        shift.move(steps)
    session.tasks.finish()
    found = session.case.currentArray()
    shift.forget()
    assert shift.steps == 0
    monkeypatch.undo()
    shift.choose(2)
    shift.choose(1)
    assert (session.case.currentArray() == found).all(), "what was moved stays"
    field = shiftField(session.case.data.prediction.segmentation, 1, session.case.data.geometry, 99.0)
    expected = np.zeros(found.shape, bool)
    expected[field.box] = field.moved(6 * shift.stepMm)
    assert ((found == 1) == expected).all()


def test_nothing_moves_without_a_structure_or_without_editing(session, shift):
    before = session.case.currentArray()
    shift.choose(None)
    shift.move(3)
    session.tasks.finish()
    assert (session.case.currentArray() == before).all() and shift.steps == 0
    session.case.stopEditing()
    shift.choose(1)
    shift.move(3)
    session.tasks.finish()
    assert not session.case.isEditing and shift.saved == []


def test_closing_the_case_in_the_middle_of_a_move_is_harmless(session, shift):
    shift.move(3)
    session.closeCase()
    session.tasks.finish()
    assert session.messages == []
