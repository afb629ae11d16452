"""The tables of `metassl peers` and `metassl adapt`, and their place in the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from metassl.files import MetaSSLError
from metassl_research.lines import add_run
from metassl_research.marked_page import marks
from metassl_research.peers import page
from metassl_research.peers.runs import read_runs
from metassl_research.peers.settings import Run

DOCS = Path(__file__).parents[2] / "docs"


def known(run: Run, dice: Sequence[float], looks: Sequence[tuple[float, float]]) -> dict:
    cases = {name: {"dice": value, "hd95_mm": 10 * (1 - value)} for name, value in zip("ab", dice, strict=True)}
    return {
        **asdict(run),
        "cases": cases,
        "dice": float(np.mean(dice)),
        "steps": 100,
        "missed": 0,
        "looks": [{"seconds": seconds, "steps": 1, "dice": value} for seconds, value in looks],
        "device": "a processor",
        "threads": 1,
        "versions": {"torch": "2"},
    }


@pytest.fixture
def compared(tmp_path: Path) -> dict:
    path = tmp_path / "made.jsonl"
    for arm, minutes, seed, dice, looks in (
        ("metassl", 4.0, 0, (0.80, 0.90), [(120.0, 0.79), (240.0, 0.85)]),
        ("metassl", 15.0, 0, (0.82, 0.90), [(225.0, 0.81), (900.0, 0.86)]),
        ("metassl", 4.0, 1, (0.82, 0.88), [(240.0, 0.85)]),
        ("nnunet", 4.0, 0, (0.30, 0.40), [(240.0, 0.35)]),
        ("nnunet", 15.0, 0, (0.78, 0.80), [(900.0, 0.79)]),
    ):
        run = Run("Boxes", arm, 3, minutes, "wall", seed)
        add_run(path, known(run, dice, looks))
    return read_runs(path)


def test_the_time_to_a_dice_is_the_earliest_of_all_trainings_of_an_arm(compared):
    assert page.first_seconds(compared, "metassl", 3, 0) == 225.0
    assert page.first_seconds(compared, "nnunet", 3, 0) is None
    rows = page.time_rows(compared)
    assert rows[1:] == [
        ["3", "metassl", "3\N{NO-BREAK SPACE}min 45\N{NO-BREAK SPACE}s, 4\N{NO-BREAK SPACE}min"],
        ["3", "nnunet", "never"],
    ]


def test_ours_less_a_peer_is_paired_by_seed_and_case(compared):
    found = page.differences(compared)
    four, fifteen = (page.Cell(3, minutes) for minutes in (4.0, 15.0))
    assert set(found) == {(four, "metassl", "nnunet"), (fifteen, "metassl", "nnunet")}
    assert found[four, "metassl", "nnunet"].mean == pytest.approx(50.0), "seed 1 has no pair"
    assert (found[fifteen, "metassl", "nnunet"].mean, found[fifteen, "metassl", "nnunet"].cases) == (
        pytest.approx(7.0),
        2,
    )


def test_the_tables_have_intervals_over_cases_and_say_from_how_many_runs(compared):
    text = page.tables(compared)
    assert text.startswith(
        "Boxes: 5 runs so far, 2 test cases each; a processor, 1 thread; minutes of wall time; torch 2."
    )
    assert "| 3 | 4 | metassl | 2 | 0.850 (0.810 to 0.890) | 1.50 (1.10 to 1.90) | 0 | 100 |" in text
    with pytest.raises(MetaSSLError, match="no run of this comparison"):
        page.tables({})


def test_a_measure_that_no_case_has_is_a_dash():
    assert page.interval(np.array([[np.nan], [np.nan]]), 2) == "-"
    assert page.interval(np.array([[0.5]]), 2) == "0.50"


def test_the_model_of_another_scanner_is_compared_with_every_adaptation_of_it(tmp_path):
    path = tmp_path / "adapt.jsonl"
    words = "from 20 shifted cases, 15 minutes"
    add_run(path, known(Run("Boxes", "source", 0, 15.0, "wall", 0, words), (0.5, 0.6), [(900.0, 0.55)]))
    for seed, dice in ((0, (0.8, 0.8)), (1, (0.7, 0.9))):
        add_run(path, known(Run("Boxes", "metassl", 1, 4.0, "wall", seed, words), dice, [(240.0, 0.8)]))
    found = page.differences(read_runs(path))
    ((cell, first, second), each) = next(iter(found.items()))
    assert len(found) == 1 and (cell.labelled, first, second) == (1, "metassl", "source")
    assert each.mean == pytest.approx(25.0) and each.seeds == 2


@pytest.mark.parametrize("name", ["peers.jsonl", "longer.jsonl", "adapt.jsonl"])
def test_the_page_of_the_documentation_is_made_from_its_results_files(name):
    results = DOCS / "benchmark" / name
    text = (DOCS / "PEERS.md").read_text("utf-8")
    begin, end = marks(results)
    assert text.count(begin) == text.count(end) == 1
    found = read_runs(results)
    assert f"{begin}\n{page.tables(found) if found else 'No run yet.'}\n{end}" in text
