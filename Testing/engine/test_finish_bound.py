"""What a few random looks say of the rest: true at all looks at once, and honest where there is little to say."""

from __future__ import annotations

import pytest
from audited_projects import KINDS, for_one_look, miss_rate
from metassl.finish.bound import bound_on_rest, most_wrong


@pytest.mark.parametrize("kind", KINDS)
def test_all_statements_of_at_least_95_of_100_projects_are_true_whenever_one_stops(kind):
    """334 projects of each of three kinds; any moment is looked at, so the most favourable one, too."""
    assert miss_rate(kind, 334) <= 0.05


def test_the_exact_bound_for_one_look_would_not_hold_at_all_of_them():
    assert miss_rate("looked at in order", 120, seed=1, rule=for_one_look) > 0.05


def test_nothing_is_claimed_before_a_look_nor_after_too_few():
    assert most_wrong(60, []) == [60]
    for looks in ([], [False], [False, False]):
        assert not bound_on_rest(5, looks, 5 - len(looks), 0).says_something
    assert not bound_on_rest(60, [True] * 10, 50, 10).says_something, "all were wrong"


def test_each_look_that_finds_nothing_says_more_until_all_is_known():
    bounds = most_wrong(40, [False] * 40)
    assert bounds == sorted(bounds, reverse=True) and bounds[-1] == 0
    assert bounds[20] < 10


def test_when_all_are_looked_at_the_bound_is_the_number_that_was_found():
    assert most_wrong(9, [True, False, False, True, False, False, False, True, False])[-1] == 3


def test_what_is_known_of_cases_that_were_not_drawn_is_taken_off_and_nothing_else():
    looks = [False] * 19 + [True]
    most = most_wrong(60, looks)[-1]
    assert bound_on_rest(60, looks, 40, 1).wrong == most - 1
    assert bound_on_rest(60, looks, 35, 4).wrong == most - 4
    assert bound_on_rest(60, looks, 2, 1).wrong == 2, "never more than there are"


def test_more_confidence_claims_less():
    looks = [False] * 20
    assert most_wrong(60, looks, 0.99)[-1] > most_wrong(60, looks, 0.95)[-1] > most_wrong(60, looks, 0.8)[-1]


def test_impossible_questions_are_refused():
    with pytest.raises(ValueError, match="2 looks at 1 cases"):
        most_wrong(1, [True, False])
    with pytest.raises(ValueError, match="confidence 1"):
        most_wrong(5, [], 1)
