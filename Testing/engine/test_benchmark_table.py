"""The tables and the plot of a benchmark, against figures worked out by hand."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from metassl.choices.frameworks import SEMI_SUPERVISED
from metassl.cli import main
from metassl.files import MetaSSLError, write_json
from metassl_research.benchmark.outcome import write_outcome
from metassl_research.benchmark.plan import Run, planned
from metassl_research.benchmark.settings import Settings, chosen_counts, chosen_frameworks, chosen_losses
from metassl_research.benchmark.summary import Paired, Summary
from metassl_research.benchmark.table import gain_rows, main_rows, map_rows, noisy_rows, structure_rows

REGIONS = {name: {"error_rate": 0.1, "share": 0.25} for name in ("UC", "US", "DC", "DS")}


def metric(front: float | None, back: float | None) -> dict:
    known = [value for value in (front, back) if value is not None]
    return {"mean": sum(known) / len(known) if known else None, "per_class": {"Front": front, "Back": back}}


def measures(dice: float, distance: float | None = 2.0) -> dict:
    return {
        "dice": metric(dice - 0.1, dice + 0.1),
        "hd95_mm": metric(distance, distance),
        "assd_mm": metric(1.0, None),
    }


def run(framework, loss, labelled, seed, dice, noisy=None, best=None, seconds=90.0) -> dict:
    maps = {"regions": REGIONS, "auroc": 0.9, "errors_in_15_percent": None, "learnt": None}
    return {
        **Run(framework, loss, labelled, seed, noisy).to_json(),
        "cases": [],
        "noisy_cases": {},
        "round": 1,
        "steps": 10,
        "seconds": seconds,
        "device": "a processor",
        "threads": 2,
        "versions": {"metassl": "1.0"},
        "last": {**measures(dice), "cases": {}, **maps},
        "best": None if best is None else {"step": 5, **measures(best)},
    }


def measures_at(dice: float, distance: float) -> dict:
    return {"last": {**run("", "", 0, 0, dice)["last"], **measures(dice, distance)}}


@pytest.fixture
def content() -> dict:
    """Three seeds of one framework at 3 labels, of which the third has no MetaSSL run yet; 10 cases to train on."""
    plain, metassl, floor, ceiling = (0.70, 0.74, 0.78), (0.73, 0.75), (0.60, 0.62, 0.64), (0.80, 0.84, 0.88)
    runs = [run("cps", "plain", 3, seed, dice, best=dice + 0.01) for seed, dice in enumerate(plain)]
    runs += [run("cps", "metassl", 3, seed, dice, seconds=120.0) for seed, dice in enumerate(metassl)]
    runs += [run("supervised", "plain", 3, seed, dice) for seed, dice in enumerate(floor)]
    runs += [run("supervised", "plain", 10, seed, dice) for seed, dice in enumerate(ceiling)]
    runs += [run("cps", "plain", 3, seed, dice, noisy=0.3) for seed, dice in enumerate((0.60, 0.70))]
    runs += [run("cps", "metassl", 3, 0, 0.71, noisy=0.3)]
    settings = Settings("Boxes", (3,), ("cps",), ("plain", "metassl"), seeds=3, minutes=2.0, noisy=0.3)
    train = [f"case_{number}" for number in range(10)]
    cases = {"train": train, "validation": [], "test": ["case_10"]}
    return {
        "settings": settings.to_json(),
        "cases": cases,
        "split": "splits.json",
        "labels": ["Front", "Back"],
        "runs": runs,
    }


def test_the_main_table(content):
    heads, floor, plain, metassl, ceiling = main_rows(Summary(content))
    # sd of 0.70, 0.74, 0.78 = 0.04; of the ceiling's 0.84: 0.74/0.84 = 88.1 %
    assert plain[:5] == ["3", "cps", "plain", "0.740 ± 0.040", "0.750 ± 0.040"]
    assert plain[heads.index("HD95 mm")] == "2.00 ± 0.00" and plain[heads.index("ASSD mm")] == "1.00 ± 0.00"
    assert plain[-3:] == ["1.500", "88.1 %", ""]
    # differences 0.03 and 0.01: mean 0.02, sd 0.01414, standard error 0.01; (0.73 + 0.75) / (0.80 + 0.84) = 90.2 %
    assert metassl[:5] == ["3", "cps", "metassl", "0.740 ± 0.014", "-"]
    assert metassl[-3:] == ["2.000", "90.2 %", "+0.020 ± 0.010"]
    assert floor[:4] == ["3", "supervised", "plain (floor)", "0.620 ± 0.020"] and floor[-2] == "73.8 %"
    assert ceiling[:4] == ["all 10", "supervised", "plain (ceiling)", "0.840 ± 0.040"] and ceiling[-2] == "100.0 %"


def test_what_metassl_changes_framework_by_framework_and_over_all(content):
    content["settings"]["frameworks"] = ["cps", "mt"]
    content["runs"] += [{**run("mt", "plain", 3, 0, 0.70), **measures_at(0.70, 4.0)}]
    content["runs"] += [{**run("mt", "metassl", 3, 0, 0.64), **measures_at(0.64, 3.0)}]
    heads, cps, mt, both = gain_rows(Summary(content))
    assert heads[2:6] == ["Dice", "better", "HD95 mm", "better"]
    assert cps[:6] == ["3", "cps", "+0.020 ± 0.010", "2 of 2", "+0.00 ± 0.00", "0 of 2"]
    assert mt[:6] == ["3", "mt", "-0.060", "0 of 1", "-1.00", "1 of 1"]
    # 0.03, 0.01, -0.06: mean -0.0067, sd 0.0473; 0, 0, -1: mean -0.33, sd 0.577
    assert both[:6] == ["3", "all", "-0.007 ± 0.027", "2 of 3", "-0.33 ± 0.33", "1 of 3"]
    content["runs"] = [each for each in content["runs"] if each["loss"] == "plain"]
    assert gain_rows(Summary(content)) == []


def test_what_wrong_annotations_cost_is_paired_by_seed(content):
    _, plain, metassl = noisy_rows(Summary(content))
    # lost 0.10 and 0.04: mean 0.07, sd 0.0424, standard error 0.03
    assert plain == ["3", "cps", "plain", "30 %", "0.650 ± 0.071", "+0.070 ± 0.030"]
    assert metassl == ["3", "cps", "metassl", "30 %", "0.710", "+0.020"]
    content["runs"] = [each for each in content["runs"] if each["noisy"] is None]
    assert noisy_rows(Summary(content)) == []


def test_every_structure_has_its_own_row(content):
    heads, *body = structure_rows(Summary(content))
    assert [row[3] for row in body[2:4]] == ["Front", "Back"]
    assert [row[4] for row in body[2:4]] == ["0.640 ± 0.040", "0.840 ± 0.040"]
    assert body[3][heads.index("ASSD mm")] == "-", "a distance that is not known in any seed"


def test_the_map_of_the_last_models(content):
    heads, first, *_ = map_rows(Summary(content))
    assert first[heads.index("US P(error)")] == "0.100 ± 0.000" and first[heads.index("DS of band")] == "0.250 ± 0.000"
    assert first[heads.index("AUROC")] == "0.900 ± 0.000" and first[heads.index("errors in 15 %")] == "-"


def test_differences_without_a_common_seed_are_not_made_up():
    assert Paired.of({0: 0.5}, {1: 0.5}) is None and Paired.of({0: math.nan}, {0: 0.5}) is None
    assert Paired.of({0: 0.5, 1: math.nan}, {0: 0.4, 1: 0.4}) == Paired(pytest.approx(0.1), None, 1, 1, 0)


def test_page_and_plot_come_from_the_results_file_alone(content, tmp_path, capsys):
    out = tmp_path / "results.json"
    write_json(out, content)
    assert main(["benchmark", "--table", "--out", str(out), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    metassl = next(row for row in rows if row["loss"] == "metassl" and row["noisy"] is None)
    found = {"mean": pytest.approx(0.02), "error": pytest.approx(0.01), "pairs": 2, "above": 2, "below": 0}
    assert metassl["metassl_minus_plain"] == found
    page = out.with_suffix(".md").read_text("utf-8")
    assert "| 3 | cps | metassl | 0.740 ± 0.014 | - |" in page and "(results.svg)" in page and "2 minutes" in page
    first = (page, out.with_suffix(".svg").read_text("utf-8"))
    write_outcome(out)
    assert first == (out.with_suffix(".md").read_text("utf-8"), out.with_suffix(".svg").read_text("utf-8"))


def test_the_plot_shows_both_losses_with_their_spread_and_floor_and_ceiling(content, tmp_path):
    out = tmp_path / "results.json"
    write_json(out, content)
    write_outcome(out)
    tree = ElementTree.parse(out.with_suffix(".svg"))
    place = "{http://www.w3.org/2000/svg}"
    (panel,) = tree.iter(f"{place}g")
    marks = {mark.find(f"{place}title").text: mark for mark in panel.iter(f"{place}circle")}
    assert set(marks) == {"cps, plain, 3 labelled: 0.7400", "cps, metassl, 3 labelled: 0.7400"}
    bars = [line for line in panel.iter(f"{place}line") if line.get("x1") == line.get("x2")]
    lengths = [abs(float(bar.get("y1")) - float(bar.get("y2"))) for bar in bars]
    assert lengths[0] / lengths[1] == pytest.approx(0.04 / np.std((0.73, 0.75), ddof=1), rel=0.01)
    across = [line for line in panel.iter(f"{place}line") if line.get("stroke-dasharray")]
    heights = [float(line.get("y1")) for line in across]
    middle = {float(mark.get("cy")) for mark in marks.values()}
    # 0.62 below 0.74 below 0.84, in true proportion
    assert (heights[0] - middle.pop()) / (heights[0] - heights[1]) == pytest.approx(0.12 / 0.22, rel=0.01)


def test_floors_and_ceiling_come_first_and_the_seed_is_outermost():
    settings = Settings("Boxes", (3, 8), ("cps", "mt"), ("plain", "metassl"), seeds=2, iterations=1, noisy=0.3)
    runs = planned(settings, 100)
    assert len(runs) == 2 * (3 + 8 + 8) and [run.seed for run in runs] == sorted(run.seed for run in runs)
    assert [(run.framework, run.labelled) for run in runs[:3]] == [("supervised", count) for count in (3, 8, 100)]
    order = [(run.labelled, run.framework, run.loss, run.noisy) for run in runs[3:6]]
    assert order == [(3, "cps", "plain", None), (3, "cps", "metassl", None), (3, "mt", "plain", None)]
    assert all(run.noisy == 0.3 for run in runs[11:19]) and len({run.key for run in runs}) == len(runs)
    floor_asked_for = Settings("Boxes", (3,), ("supervised",), ("plain", "metassl"), seeds=1, iterations=1)
    assert [(run.loss, run.labelled) for run in planned(floor_asked_for, 9)] == [
        ("plain", 3),
        ("plain", 9),
        ("metassl", 3),
    ]


def test_what_is_chosen_is_checked():
    assert chosen_frameworks("all") == SEMI_SUPERVISED and "supervised" not in chosen_frameworks("all")
    assert chosen_frameworks("supervised, all") == ("supervised", *SEMI_SUPERVISED)
    assert chosen_losses("metassl,plain") == ("plain", "metassl") and chosen_counts("8,3,3") == (3, 8)
    for choose, text in (
        (chosen_frameworks, "cps,unet"),
        (chosen_losses, ""),
        (chosen_counts, "3,x"),
        (chosen_counts, "0"),
    ):
        with pytest.raises(MetaSSLError):
            choose(text)


def test_more_can_be_added_and_what_contradicts_is_named():
    first = Settings("Boxes", (3,), ("mt",), ("plain",), seeds=1, minutes=2.0).to_json()
    more = Settings("Boxes", (8,), ("cps",), ("metassl",), seeds=2, minutes=2.0, noisy=0.3).merged(first, "r.json")
    assert (more["labelled"], more["frameworks"], more["losses"]) == ([3, 8], ["cps", "mt"], ["plain", "metassl"])
    assert (more["seeds"], more["noisy"]) == (2, 0.3)
    assert Settings("Boxes", (3,), ("mt",), ("plain",), seeds=1, minutes=2.0).merged(more, "r.json")["noisy"] == 0.3
    for other, named in (
        ({"minutes": 4.0}, "--minutes 4.0 .it has 2.0"),
        ({"minutes": None, "iterations": 5}, "no --minutes .it has 2.0.*--iterations 5 .it has none"),
        ({"minutes": 2.0, "device": "cuda"}, "--device cuda"),
        ({"minutes": 2.0, "noisy": 0.5}, "--noisy 0.5 .it has 0.3"),
    ):
        with pytest.raises(MetaSSLError, match=f"r.json holds a benchmark .*{named}"):
            Settings("Boxes", (3,), ("mt",), ("plain",), **other).merged(more, "r.json")
    with pytest.raises(MetaSSLError, match="--labelled 3 is more than the 2 training cases"):
        Settings("Boxes", (3,), ("mt",), ("plain",), minutes=2.0).check_enough(2)
