"""The records of a round: what is written is what is read, under the keys that older versions know."""

from __future__ import annotations

import json

from metassl.files import write_json
from metassl.project.effort.expected import Effort
from metassl.project.records import ErrorRates, Estimate, PredictedDice, RankedCase, Ranking, Summary
from metassl.project.round_files import read_error_rates, read_ranking, read_summary
from summaries import new_summary, old_summary

COUNTS = {"UC": 4, "US": 3, "DC": 2, "DS": 1}
FULL = Summary(
    case="a",
    round=2,
    step=9,
    voxels=COUNTS,
    structure_voxels=5,
    band_voxels=COUNTS,
    volume_ml={"Front": 0.5},
    volume_range_ml={"Front": [0.4, 0.7]},
    volume_level=0.75,
    mean_uncertainty=0.1,
    mutual_information=0.2,
    uncertainty={"US": 0.3, "DC": 0.2, "DS": 0.1},
    error_rates={"UC": 0.01, "US": None},
    class_error_rates={"Front": {"UC": 0.1}},
    dice_features={"Front": {"stability": 0.9, "agreement": None}},
    predicted_dice=PredictedDice(0.8, (0.7, 0.9), 0.9, {"Front": Estimate(0.8, (0.7, 0.9))}),
    voxel_ml=0.001,
    classes={"Front": {"voxels": 5, "US": 3, "DC": 2, "DS": 1, "entropy": 0.5}},
    features=[0.5, 1.0],
    image_hashes=["0" * 64],
    values=[1, 2],
    effort=Effort(2.0, 0, 5, [0.0, 12.5], 5.0, 1.8, 7),
)
KEYS = """
case round step voxels structure_voxels band_voxels volume_ml volume_range_ml volume_level mean_uncertainty
mutual_information uncertainty error_rates class_error_rates dice_features predicted_dice voxel_ml classes
features image_hashes values effort
""".split()


def test_a_summary_is_read_as_it_was_written(tmp_path):
    write_json(tmp_path / "summary.json", FULL.to_json())
    written = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    assert list(written) == ["schema_version", *KEYS]
    assert written["predicted_dice"] == {
        "mean": 0.8,
        "interval": [0.7, 0.9],
        "level": 0.9,
        "classes": {"Front": {"mean": 0.8, "interval": [0.7, 0.9]}},
    }
    assert read_summary(tmp_path / "summary.json", "a") == FULL


def test_summaries_of_former_versions_lack_what_they_lack(tmp_path):
    write_json(tmp_path / "old.json", old_summary("a", us=7))
    old = read_summary(tmp_path / "old.json", "a")
    assert (old.voxels["US"], old.classes, old.features, old.step, old.predicted_dice) == (7, None, None, None, None)
    write_json(tmp_path / "new.json", {**new_summary("a"), "of a later version": 1})
    assert read_summary(tmp_path / "new.json", "a").classes.keys() == {"Front", "Back"}


def test_a_ranking_is_read_as_it_was_written(tiny_project):
    found = tiny_project.new_round({"config": {}})
    assert read_ranking(found) == Ranking()
    ranking = Ranking("random", [RankedCase("b", 1.0, "why", {"part": 0.5}), RankedCase("a", 0.5)], {"c": "damaged"})
    write_json(found.ranking_path, ranking.to_json())
    assert read_ranking(found) == ranking
    write_json(found.ranking_path, {"cases": [{"case": "a", "score": 1}]})
    assert read_ranking(found) == Ranking("", [RankedCase("a", 1)])


def test_error_rates_are_read_as_they_were_written(tiny_project):
    found = tiny_project.new_round({"config": {}})
    assert read_error_rates(found) is None
    rates = ErrorRates(rates={"UC": 0.1, "US": None}, error_model={"kept": False}, validation_cases=3)
    write_json(found.error_rates_path, rates.to_json())
    assert read_error_rates(found) == rates
