"""Structures that are one piece: which ones are, what is taken off, and that it is left in doubt."""

from __future__ import annotations

import numpy as np
import pytest
from metassl.imaging.images import IGNORE
from metassl.inference.operating_point.one_piece import classes_in_one_piece, in_one_piece, loose
from metassl.training.inputs import Inputs
from metassl.training.one_piece import OnePiece

MAIN, SPECK, PART = (slice(2, 10), slice(2, 10), slice(2, 6)), (14, slice(2, 4), 13), (14, slice(2, 10), slice(8, 14))


def drawn(*places, value: int = 1) -> np.ndarray:
    label = np.zeros((16, 16, 16), np.uint8)
    for place in places:
        label[place] = value
    return label


def pair_of(label: np.ndarray, sure: float = 0.96) -> np.ndarray:
    """Softmaxes (2, 3, z, y, x) of two networks that are this sure of it, and think of class 2 next."""
    first = np.full((3, *label.shape), (1 - sure) / 4, np.float32)
    first[2] += (1 - sure) / 2
    first[0][label == 0] += sure - 0.5 * (1 - sure)
    for k in (1, 2):
        first[k][label == k] += sure
    first /= first.sum(0)
    return np.stack([first, first])


def test_what_touches_by_a_corner_is_one_piece_and_what_is_small_beside_it_is_loose():
    assert not loose(drawn(MAIN)).any() and not loose(drawn()).any()
    assert np.array_equal(loose(drawn(MAIN, SPECK) == 1), drawn(SPECK) == 1)
    assert not loose(drawn(MAIN, (10, 10, 6)) == 1).any(), "by a corner"


def test_a_second_piece_that_is_not_small_stays():
    assert not loose(drawn((slice(2, 6), slice(2, 6), slice(2, 6)), (slice(9, 12), slice(9, 12), slice(9, 12)))).any()


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_a_loose_piece_is_no_longer_shown_but_doubtful_and_nothing_else_changes(kind):
    label = drawn(MAIN, SPECK)
    before = pair_of(label).astype(kind)
    found = in_one_piece(before.copy(), [1])
    off = loose(label == 1)
    shown = found.astype(np.float32).mean(0)
    assert np.array_equal(shown.argmax(0)[~off], label[~off]) and (shown.argmax(0)[off] == 2).all(), (
        "what is next likely"
    )
    assert np.array_equal(found[:, :, ~off], before[:, :, ~off])
    assert np.allclose(found[:, :, off].astype(np.float32).sum(1), 1, atol=2e-3)
    assert (shown[1][off] > 0.4).all(), "as likely as before, nearly: the maps point at it"


def test_networks_that_think_of_other_classes_next_do_not_bring_it_back():
    pair = pair_of(drawn(MAIN, SPECK))
    speck = loose(drawn(MAIN, SPECK) == 1)
    pair[0][:, speck] = np.array([0.0, 1.0, 0.0])[:, None]
    pair[1][:, speck] = np.array([0.3, 0.4, 0.3])[:, None]
    found = in_one_piece(pair, [1])
    assert np.isfinite(found).all() and not (found.mean(0).argmax(0)[speck] == 1).any()


def test_only_classes_that_are_one_piece_are_touched():
    pair = pair_of(drawn(MAIN, SPECK))
    assert np.array_equal(in_one_piece(pair.copy(), [2]), pair) and in_one_piece(pair, []) is pair


def test_five_whole_annotations_that_all_agree_say_that_it_is_one_piece():
    one, two = drawn(MAIN), drawn(MAIN, PART)
    loose_voxel = drawn(MAIN, SPECK)
    assert classes_in_one_piece([(one, ())] * 4, 3) == {}
    assert classes_in_one_piece([(one, ())] * 4 + [(loose_voxel, ())], 3) == {1: 5}
    assert classes_in_one_piece([(one, ())] * 9 + [(two, ())], 3) == {}, "one that speaks against it is enough"
    assert classes_in_one_piece([(one, ())] * 4 + [(drawn(), ())], 3) == {}, "which shows nothing, says nothing"


def test_annotations_that_do_not_know_everything_say_nothing_about_pieces():
    partly = drawn(MAIN)
    partly[12:] = IGNORE
    two = drawn(MAIN, PART)
    known = [(drawn(MAIN), ())] * 5
    assert classes_in_one_piece([*known, (partly, ())], 3) == {1: 5}
    assert classes_in_one_piece([*known, (two, (1,))], 3) == {1: 5}, "class 1 was not annotated there"


def test_a_class_that_loses_by_it_on_cases_that_were_not_trained_on_is_left_alone():
    values, truth = [0, 7, 9], drawn(MAIN, SPECK, value=7)
    agreed = OnePiece({1: 6, 2: 5})
    agreed.try_on(pair_of(drawn(MAIN, SPECK)), truth, values, ())
    assert agreed.chosen(values) == {"9": 5}
    agreed = OnePiece({1: 6, 2: 5})
    agreed.try_on(pair_of(drawn(MAIN, SPECK)), drawn(MAIN, value=7), values, ())
    assert agreed.chosen(values) == {"7": 6, "9": 5} and agreed.gains[1][0] > 0


def test_a_project_without_annotations_has_none():
    assert OnePiece.of(Inputs(), 3).chosen([0, 1, 2]) == {}
