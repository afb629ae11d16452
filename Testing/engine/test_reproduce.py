"""`metassl reproduce`: its trainings, the file that it adds to, and what it makes of them."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import pytest
from in_process import trainings_in_this_process
from metassl.commands.shared.console import Console
from metassl.files import MetaSSLError
from metassl_research.commands import reproduce
from metassl_research.lines import add_run
from metassl_research.marked_page import marks
from metassl_research.reproduction import page
from metassl_research.reproduction.paired import difference, half_width, seeds_needed, t_quantile, variance_parts
from metassl_research.reproduction.runs import Run, Settings, labelled_cases, read_runs

DOCS = Path(__file__).parents[2] / "docs"
ALL = Settings("Boxes", (10, 50), (3, 8), ("bcp", "mt"), ("plain", "uniform", "metassl", "official"), seeds=5)


@pytest.fixture
def data(decathlon: Path) -> Path:
    """Three cases to train on, one to validate, two to test."""
    names = [f"case_{number}" for number in range(6)]
    split = {"train_order": names[:3], "val": names[3:4], "test": names[4:]}
    (decathlon / "splits.json").write_text(json.dumps(split), encoding="utf-8")
    return decathlon


def words(data: Path, out: Path, *more: str) -> list[str]:
    recipe = ["--labelled", "1", "--frameworks", "bcp,mt", "--seeds", "1", "--iterations", "2", "--device", "cpu"]
    return ["--data", str(data), "--out", str(out), *recipe, *more]


def command(words: list[str]) -> int:
    """As `metassl reproduce` runs it, whichever commands are installed."""
    parser = argparse.ArgumentParser()
    reproduce.add_arguments(parser)
    arguments = parser.parse_args(words)
    return reproduce.run(arguments, Console(arguments.json))


def test_every_run_leaves_a_line_and_none_is_done_twice(data, tmp_path, monkeypatch):
    out = tmp_path / "results" / "boxes.jsonl"
    with trainings_in_this_process(monkeypatch) as launched:
        assert command(words(data, out, "--losses", "plain,uniform")) == 0
        assert [(run.framework, run.loss) for run in read_runs(out)] == [
            ("bcp", "plain"),
            ("mt", "plain"),
            ("mt", "uniform"),
        ], "uniform is plain in bcp"
        first = out.read_bytes()
        out.write_bytes(first + b'{"time": "now", "ru')  # killed while it wrote
        more = ("--losses", "plain,uniform,official", "--seeds", "2")
        assert command(words(data, out, *more, "--frameworks", "mt")) == 0
        assert len(launched) == 3 + 4
        assert command(words(data, out, *more, "--frameworks", "mt")) == 0
        assert len(launched) == 3 + 4, "a training was done twice"
    assert out.read_bytes().startswith(first)
    runs = read_runs(out)
    assert len(runs) == 7
    for run, known in runs.items():
        assert set(known["dice"]) == {"case_4", "case_5"} and known["steps"] == run.iterations == 2
        assert known["cases"] == (["case_0"] if run.seed == 0 else ["case_2"])
        assert np.mean(list(known["dice"].values())) == pytest.approx(known["last"]["dice"]["mean"], abs=0.05)
        assert known["last"]["learnt"] is None and known["threads"] == 1
    project = out.with_suffix("")
    for known in runs.values():
        record = json.loads((project / "rounds" / f"{known['round']:04d}" / "round.json").read_text(encoding="utf-8"))
        assert record["validation"] == {} and "case_3" not in record["unlabelled"]


def test_stopped_early_there_are_whole_comparisons():
    runs = ALL.runs()
    assert len(runs) == len(set(runs)) == 2 * 5 * 2 * (3 + 4)
    assert [run.iterations for run in runs] == [10] * 70 + [50] * 70
    for number in (10, 50):
        seeds = [run.seed for run in runs if run.iterations == number]
        assert seeds == sorted(seeds)
    first = [(run.labelled, run.framework, run.loss) for run in runs[:7]]
    assert first[:3] == [(3, "bcp", loss) for loss in ("plain", "metassl", "official")]
    assert first[3:] == [(3, "mt", loss) for loss in ("plain", "uniform", "metassl", "official")]


def test_seeds_learn_from_other_cases_and_more_cases_hold_the_fewer():
    order = [f"case_{number}" for number in range(50)]
    for seed in range(3):
        assert labelled_cases(order, 14, seed)[:3] == labelled_cases(order, 3, seed)
    assert len({case for seed in range(3) for case in labelled_cases(order, 14, seed)}) == 42
    assert labelled_cases(order, 8, 0) == order[:8] and labelled_cases(order, 14, 3) == [*order[42:], *order[:6]]
    with pytest.raises(MetaSSLError, match="51 is more than the 50"):
        labelled_cases(order, 51, 0)


def test_what_cannot_be_done_is_said_before_any_work(data, tmp_path):
    out = tmp_path / "run.jsonl"
    for more, said in (
        (["--frameworks", "supervised"], "supervised has no loss 'uniform'"),
        (["--labelled", "9"], "--labelled 9 is more than the 3 training cases"),
        (["--iterations", "0"], "--iterations '0'"),
        (["--table"], "there is no file .*jsonl yet"),
    ):
        with pytest.raises(MetaSSLError, match=said):
            command(words(data, out, *more))
    assert not out.exists()


# --------------------------------------------------------------------- statistics


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng, inside, tries = np.random.default_rng(0), 0, 600
    for _ in range(tries):
        table = 1.0 + rng.normal(0, 0.5, (5, 1)) + rng.normal(0, 1.0, (1, 20)) + rng.normal(0, 1.5, (5, 20))
        found = difference(table, 0.5)
        inside += found.low <= 1.0 <= found.high
    assert 0.93 <= inside / tries <= 0.985


def test_the_parts_of_the_variance_are_found():
    rng, found = np.random.default_rng(1), []
    for _ in range(200):
        table = rng.normal(0, 0.5, (6, 1)) + rng.normal(0, 1.0, (1, 30)) + rng.normal(0, 1.5, (6, 30))
        found.append(variance_parts(table))
    assert np.mean(found, axis=0) == pytest.approx([0.25, 1.0, 2.25], rel=0.15)


def test_with_one_seed_the_interval_is_over_cases_and_says_nothing_of_more():
    values = np.random.default_rng(2).normal(0.3, 1.0, 39)
    found = difference(values[None], 0.5)
    half = 2.0244 * values.std(ddof=1) / math.sqrt(39)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=1e-3)
    assert found.needed is None and found.mean == pytest.approx(values.mean())


def test_the_seeds_that_a_claim_needs_are_the_fewest_that_reach_it():
    parts = (0.4, 0.3, 1.0)
    needed = seeds_needed(parts, 39, 0.5)
    assert half_width(parts, needed, 39) <= 0.5 < half_width(parts, needed - 1, 39)
    assert seeds_needed((0.4, 5.0, 1.0), 39, 0.5) is None, "these cases differ too much"
    assert difference(np.zeros((3, 5)), 0.5).needed == 2


@pytest.mark.parametrize(
    ("freedom", "expected"), [(1, 12.706), (4.9, 2.776), (10, 2.228), (11, 2.201), (38, 2.0244), (200, 1.9719)]
)
def test_the_quantiles_are_those_of_student(freedom, expected):
    assert t_quantile(freedom) == pytest.approx(expected, abs=1e-3)


# --------------------------------------------------------------------- tables


def known(run: Run, dice: dict[str, float]) -> dict:
    last = {"dice": {"mean": 0.8}, "hd95_mm": {"mean": 2.0}, "auroc": 0.9}
    machine = {"device": "a processor", "threads": 1, "versions": {"metassl": "1.0"}}
    return {**vars(run), "cases": [], "dice": dice, "last": last, **machine}


@pytest.fixture
def runs(tmp_path) -> dict:
    """mt: metassl a point above plain with seed 0 and three with seed 1; uniform with seed 0 alone. bcp: one seed."""
    path = tmp_path / "made.jsonl"
    for framework, loss, seed, gain in (
        ("mt", "plain", 0, 0.0),
        ("mt", "metassl", 0, 0.01),
        ("mt", "uniform", 0, 0.02),
        ("mt", "plain", 1, 0.0),
        ("mt", "metassl", 1, 0.03),
        ("bcp", "plain", 0, 0.0),
        ("bcp", "metassl", 0, -0.01),
    ):
        dice = {"a": 0.70 + gain, "b": 0.80 + gain}
        add_run(path, known(Run("Boxes", 10, framework, loss, 3, seed), dice))
    return read_runs(path)


def test_differences_are_paired_by_seed_and_case(runs):
    found = page.differences(runs)
    mt, bcp = (10, 3, "mt"), (10, 3, "bcp")
    assert set(found) == {(mt, "metassl", "plain"), (mt, "metassl", "uniform"), (bcp, "metassl", "plain")}
    gain = found[mt, "metassl", "plain"]
    assert (gain.mean, gain.seeds, gain.cases, gain.above) == (pytest.approx(2.0), 2, 2, 2)
    assert gain.high - gain.mean == pytest.approx(12.706 * 1.0, rel=1e-3)  # two seeds, one point to each side
    assert found[mt, "metassl", "uniform"].mean == pytest.approx(-1.0)
    assert found[bcp, "metassl", "plain"].above == 0


def test_the_tables_say_from_how_many_runs_and_what_is_the_same_training(runs):
    text = page.tables(runs)
    assert text.startswith("7 runs so far (7 of 10 steps), 2 test cases each; a processor, 1 thread; metassl 1.0.")
    assert "| 10 | 3 | bcp | metassl - plain (= uniform) | 1 | -1.00 | -1.00 to -1.00 | 0 of 1 | ? |" in text
    assert "| 10 | 3 | mt | uniform | 1 | 0.770 | 2.00 | 0.900 |" in text


def test_a_page_gets_the_tables_at_its_marks_and_nowhere_else(runs, tmp_path):
    made, (begin, end) = tmp_path / "page.md", marks(Path("made.jsonl"))
    made.write_text(f"# Before\n\n{begin}\nold\n{end}\nafter\n", encoding="utf-8")
    page.write_page(made, runs, Path("made.jsonl"))
    page.write_page(made, runs, Path("made.jsonl"))
    assert made.read_text(encoding="utf-8") == f"# Before\n\n{begin}\n{page.tables(runs)}\n{end}\nafter\n"
    with pytest.raises(MetaSSLError, match="other.jsonl: begin"):
        page.write_page(made, runs, Path("other.jsonl"))
    made.write_text("no marks", encoding="utf-8")
    with pytest.raises(MetaSSLError, match="no place for the tables"):
        page.write_page(made, runs, Path("made.jsonl"))


@pytest.mark.parametrize("name", ["reproduction.jsonl", "reproduction_hearts.jsonl"])
def test_the_page_of_the_documentation_is_made_from_its_results_files(name):
    results = DOCS / "benchmark" / name
    text = (DOCS / "REPRODUCTION.md").read_text("utf-8")
    begin, end = marks(results)
    assert text.count(begin) == text.count(end) == 1
    runs = read_runs(results)
    assert not runs or f"{begin}\n{page.tables(runs)}\n{end}" in text
