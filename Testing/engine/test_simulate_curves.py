"""From the points of a simulation to curves, areas, the labels that a Dice takes, the table and the plot."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from metassl.choices.strategies import STRATEGY_NAMES
from metassl.cli import main
from metassl.files import MetaSSLError, write_json
from metassl_research.simulation.curves import area, curves, first_reach
from metassl_research.simulation.results import Results
from metassl_research.simulation.settings import Settings, chosen_strategies
from metassl_research.simulation.table import rows

NAMES = ("random", "discrepancy")


def settings(**changes) -> Settings:
    return Settings(**{"data": "Boxes", "strategies": NAMES, "rounds": 2, "seeds": 2, "iterations": 5, **changes})


def point(labels: int, minutes: float, dice: float | None) -> dict:
    return {"labels": labels, "minutes": minutes, "dice": {"mean": dice, "per_class": {}}}


def content(random=(0.6, 0.7), discrepancy=(0.7, 0.8), shift=0.02, **changes) -> dict:
    """Two seeds that differ by `shift`; discrepancy costs twice the minutes of random."""
    seeds = []
    for seed in range(2):
        played = {"random": random, "discrepancy": discrepancy}
        strategies = {}
        for name, dices in played.items():
            cost = 5 if name == "random" else 10
            numbered = enumerate(dices, start=1)
            strategies[name] = [point(1 + n, 10 + cost * n, dice + seed * shift) for n, dice in numbered]
        seeds.append({"seed": seed, "order": [], "first": point(1, 10, 0.5), "strategies": strategies})
    return {"settings": settings(**changes).to_json(), "cases": {"train": [], "test": []}, "seeds": seeds}


def test_the_area_is_the_mean_of_the_line_up_to_the_end():
    x, y = np.array([1.0, 2.0, 4.0]), np.array([0.0, 1.0, 1.0])
    assert area(x, y, 4.0) == pytest.approx((0.5 + 2.0) / 3)
    assert area(x, y, 2.0) == pytest.approx(0.5) and area(x, y, 3.0) == pytest.approx(0.75)
    assert math.isnan(area(x, y, 1.0))


def test_a_level_is_reached_between_two_points():
    x, y = np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.4, 0.8])
    assert first_reach(x, y, 0.6) == pytest.approx(2.5)
    assert first_reach(x, y, 0.5) == 1.0 and first_reach(x, y, 0.81) is None


def test_curves_hold_areas_and_the_labels_for_the_dice_of_random():
    found, seeds = curves(content())
    random, discrepancy = found
    assert seeds == [0, 1] and random.labels.tolist() == [1, 2, 3]
    assert discrepancy.area_labels == pytest.approx([(0.6 + 0.75) / 2, (0.61 + 0.77) / 2])
    assert random.area_minutes == pytest.approx([(0.55 + 0.65) / 2, (0.56 + 0.67) / 2])
    assert discrepancy.area_minutes == pytest.approx([0.6, 0.61])  # only to minute 20, where random ends
    reached = discrepancy.reached["random"]
    assert reached.dice == pytest.approx(0.71) and reached.labels == pytest.approx(2.0) and reached.seeds == 2
    assert reached.ratio == pytest.approx(2 / 3)
    assert random.reached["random"].ratio == pytest.approx(1.0)


def test_a_dice_that_is_never_reached_is_said_so():
    found, _ = curves(content(discrepancy=(0.55, 0.6)))
    assert found[1].reached["random"].labels is None and found[1].reached["random"].seeds == 0
    row = next(row for row in rows(found) if row[0] == "discrepancy")
    assert row[-2:] == ["not with 3 (0 of 2)", "-"]


def test_the_table_begins_with_the_largest_area_and_shows_the_spread():
    heads, first, second = rows(curves(content())[0])
    assert (first[0], second[0]) == ("discrepancy", "random")
    assert first[heads.index("Dice at the end")] == "0.810 ± 0.014" and first[heads.index("% of random")] == "67 %"


def test_without_random_there_is_nothing_to_reach():
    found, _ = curves(content(strategies=("discrepancy",)))
    assert found[0].reached == {} and len(rows(found)) == 2


def test_only_seeds_that_every_strategy_finished_count():
    half = content()
    half["seeds"][1]["strategies"]["discrepancy"].pop()
    assert curves(half)[1] == [0]
    half["seeds"][0]["first"] = None
    with pytest.raises(MetaSSLError, match="no seed of this simulation is finished"):
        curves(half)


def test_a_model_that_found_nothing_counts_as_zero():
    broken = content()
    broken["seeds"][0]["first"]["dice"]["mean"] = None
    assert curves(broken)[0][0].dice[:, 0].tolist() == [0.0, 0.5]


def test_table_and_plot_are_made_from_the_file_alone(tmp_path, capsys):
    out = tmp_path / "simulate.json"
    write_json(out, content())
    assert main(["simulate", "--table", "--out", str(out), "--json"]) == 0
    told = capsys.readouterr()
    assert "discrepancy" in told.err and json.loads(told.out)["seeds"] == [0, 1]
    page = out.with_suffix(".md").read_text("utf-8")
    assert "| discrepancy | 0.810 ± 0.014 |" in page and "simulate.svg" in page and "5 iterations" in page
    drawing = ElementTree.fromstring(out.with_suffix(".svg").read_text("utf-8"))
    texts = ["".join(each.itertext()) for each in drawing.iter() if each.tag.endswith("text")]
    assert {"random", "discrepancy", "labelled cases"} <= set(texts)
    assert len([each for each in drawing.iter() if each.tag.endswith("circle")]) == 2 * 2 * 3


def test_results_of_another_simulation_are_refused_and_named(tmp_path):
    path, cases = tmp_path / "simulate.json", {"train": ["a"], "test": ["b"]}
    Results.open(path, settings(), cases).save()
    with pytest.raises(MetaSSLError, match=r"--iterations 6 \(it has 5\)"):
        Results.open(path, settings(iterations=6), cases)
    with pytest.raises(MetaSSLError, match="other cases"):
        Results.open(path, settings(), {"train": ["a"], "test": ["c"]})
    grown = Results.open(path, settings(seeds=5, rounds=9, strategies=("entropy",)), cases)
    assert grown.content["settings"]["rounds"] == 9
    path.write_text('{"schema_version": 1}', encoding="utf-8")
    with pytest.raises(MetaSSLError, match="no results of `metassl simulate`"):
        Results.open(path, settings(), cases)


def test_strategies_are_chosen_by_name_or_all():
    assert chosen_strategies("all") == tuple(sorted(STRATEGY_NAMES))
    assert chosen_strategies(" random, entropy,random ") == ("random", "entropy")
    for wrong in ("cleverest", "", "random,cleverest"):
        with pytest.raises(MetaSSLError, match="use some of clasp_pe"):
            chosen_strategies(wrong)


def test_too_few_cases_are_told_before_anything_is_trained():
    settings(rounds=3, labelled=1).check_enough(4)
    with pytest.raises(MetaSSLError, match="need 4 cases to train on, and Boxes has 3"):
        settings(rounds=3, labelled=1).check_enough(3)
    with pytest.raises(MetaSSLError, match="--pool of 3"):
        settings(rounds=3, pool=2).check_enough(9)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--out", "x.json"], "say on which data"),
        (["--data", "DIR", "--out", "results"], "does not end in .json"),
        (["--data", "DIR", "--strategies", "best"], "there is no strategy best"),
        (["--table", "--out", "nowhere.json"], "nowhere.json"),
    ],
)
def test_wrong_use_is_answered_in_one_line(words, reason, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["simulate", *words]) == 2
    error = capsys.readouterr().err
    assert reason in error and error.count("\n") == 1
