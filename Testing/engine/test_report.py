"""The report: one page that holds all, escapes all and asks nothing of the network."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from metassl.choices.strategies import STRATEGY_NAMES
from metassl.evaluation.region_errors import MapErrors
from metassl.evaluation.report.charts import tag
from metassl.evaluation.report.numbers import gather
from metassl.evaluation.stored import read_evaluation
from metassl.files import MetaSSLError, ProjectError, write_json
from metassl.imaging import read_image, read_labels, write_array
from metassl.jobs import JobWriter
from metassl.project import Project, Round
from metassl.project.places.search import find_places
from metassl.project.places.words import place_text
from metassl.project.round_files import read_summary
from metassl.selection.rank import rank
from reported_project import GRID, build_evaluation, build_project, build_round, report_step, volume, written

HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return build_project(tmp_path / "project")


@pytest.fixture
def found(project: Project) -> Round:
    return build_round(project)


def test_the_page_is_whole_and_needs_neither_scripts_nor_network(project, found):
    text, page = written(project, found, build_evaluation(project, found))
    assert text.startswith("<!DOCTYPE html>")
    assert "script" not in page.tags and "link" not in page.tags and "iframe" not in page.tags
    assert not [key for key, _ in page.attributes if key.startswith("on")]
    links = [value for key, value in page.attributes if key in ("src", "href", "action")]
    assert links and all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    assert "url(" not in text and "@import" not in text
    anchors = {value for key, value in page.attributes if key == "id"}
    assert {link[1:] for link in links if link.startswith("#")} == anchors
    assert "nan" not in re.findall(r"[a-z]+", page.text.lower()) and "None" not in page.text


def test_the_figures_on_the_page_are_those_of_the_evaluation(project, found):
    evaluation = build_evaluation(project, found)
    _, page = written(project, found, evaluation)
    assert f"{evaluation['dice']['mean']:.3f}" in page.text
    for name in ("Anterior", "Posterior"):
        assert f"{evaluation['dice']['per_class'][name]:.3f}" in page.text
        assert f"{evaluation['hd95_mm']['per_class'][name]:.2f}" in page.text
    share = 100 * evaluation["flagged"]["share_of_errors"]
    assert f"{share:.1f} %" in page.text
    assert f"{evaluation['uncertainty']['auroc']:.3f}" in page.text
    assert "measured on 2 cases of the evaluation" in page.text
    assert "not yet measured" not in page.text
    for case in evaluation["cases"]:
        assert case in page.text


LEARNT = {
    "predicted_dice": {
        **{"cases": 2, "spearman": 0.95, "spearman_interval": [0.9, 1.0], "mean_error": 0.01},
        **{"level": 0.9, "coverage": 1.0},
    },
    "error_probability": {
        **{"auroc": 0.98, "auroc_interval": [0.97, 0.99], "auprc": 0.6, "ece": 0.001},
        "errors_in_flagged_share": {"1": 0.1, "5": 0.5, "10": 0.8, "15": 0.9},
    },
}
JUDGED = ("Predicted before these annotations were seen", "Learnt P(error), there")


def judged(project: Project, found: Round, **changes) -> dict:
    """An evaluation that says how good the predicted Dice and P(error) are; "fitted_on": None as a former version."""
    evaluation = {**build_evaluation(project, found), "predicted_dice": LEARNT["predicted_dice"], **changes}
    evaluation["band"] = {**evaluation["band"], "error_probability": LEARNT["error_probability"]}
    if evaluation["fitted_on"] is None:
        del evaluation["fitted_on"]
    return evaluation


@pytest.mark.parametrize("fitted_on", [None, []])
def test_what_was_learnt_of_the_errors_is_judged_on_cases_that_are_new(project, found, fitted_on):
    _, page = written(project, found, judged(project, found, fitted_on=fitted_on))
    assert all(words in page.text for words in JUDGED) and "not judged" not in page.text


def test_an_evaluation_of_a_former_version_on_validation_cases_does_not_judge_what_was_learnt_there(project, found):
    evaluation = judged(project, found, fitted_on=None)
    _, page = written(project, found, {**evaluation, "group": "validation"})
    assert not any(words in page.text for words in JUDGED) and "not judged on 2 of these cases" in page.text

    project.update_case("case_06", split="validation", state="labelled", label_version="a" * 64)
    _, page = written(project, found, {**evaluation, "group": "all"})
    assert not any(words in page.text for words in JUDGED) and "not judged on 1 of these cases" in page.text
    assert evaluation["predicted_dice"] and evaluation["band"]["error_probability"], "the caller's is as it was"


def test_cases_that_were_trained_on_are_named_and_do_not_tell_how_often_a_region_is_wrong(project):
    found = build_round(project)
    evaluation = judged(project, found, fitted_on=None, group="all")
    later = project.new_round({"config": {}, "labels": {"case_06": "a" * 64}})
    rates = dict.fromkeys(("UC", "US", "DC", "DS"), 0.125)
    write_json(later.error_rates_path, {"rates": rates, "validation_cases": 4})
    _, page = written(project, later, evaluation)
    assert "The model was trained on 1 of these cases" in page.text and "2 cases, 1 trained on" in page.text
    assert not any(words in page.text for words in JUDGED)
    assert page.text.count("12.5 % wrong") == 4 and "measured on 4 validation cases" in page.text
    assert "of the evaluation" not in page.text and "US, DC and DS together hold" not in page.text

    _, page = written(project, later, {**evaluation, "round": found.number})
    assert "trained on 1 of these" not in page.text, "the round that was measured had not seen it"


def test_without_an_evaluation_the_error_rates_are_not_yet_measured(project, found):
    _, page = written(project, found)
    assert page.text.count("not yet measured") >= 5  # the key figure and the four regions
    assert "metassl evaluate" in page.text
    assert "Share of the predicted volume" in page.text


def test_rates_measured_after_training_stand_beside_the_legend(project, found):
    rates = {"UC": 0.0023, "US": 0.081, "DC": 0.312, "DS": None}
    content = {"rates": rates, "validation_cases": 1, "corrected_cases": 2}
    write_json(found.path / "error_rates.json", content)
    _, page = written(project, found)
    assert "measured on 1 validation case and 2 reviewed cases" in page.text
    for expected in ("0.23 %", "8.1 %", "31.2 %"):
        assert expected in page.text


def test_the_ranking_is_shown_in_order_with_its_reasons_and_states(project, found):
    first = rank(project, found).cases[0]
    project.update_case(first.case, state="rejected")
    _, page = written(project, found)
    order = [entry.case for entry in rank(project, found).cases]
    places = [page.text.index(f" {case} ") for case in order]
    assert places == sorted(places)
    assert first.reason in page.text and "rejected" in page.text


def test_the_first_places_of_the_first_cases_are_those_that_slicer_shows(project, found):
    first = rank(project, found).cases[0].case
    paths = found.prediction(first)
    (segmentation, _), (regions, _) = read_labels(paths.segmentation, first), read_labels(paths.regions, first)
    uncertainty = read_image([paths.uncertainty], first).array[0]
    places = find_places(segmentation, regions, GRID, project.labels, uncertainty=uncertainty)
    _, page = written(project, found)
    assert len(places) > 1
    assert "img" not in page.tags and f"First of {len(places)} places to look at" in page.text
    order = [page.text.index(place_text(place)) for place in places[:3]]
    assert order == sorted(order)

    learnt = np.zeros(GRID.shape_zyx, np.float32)
    learnt[places[-1].index_xyz[::-1]] = 1.0
    write_array(paths.error_probability, learnt, GRID)
    _, page = written(project, found)
    best = find_places(segmentation, regions, GRID, project.labels, error_probability=learnt)[0]
    assert best.index_xyz == places[-1].index_xyz and place_text(best) in page.text

    paths.regions.unlink()
    _, page = written(project, found)
    assert place_text(best) not in page.text, "what cannot be read is left out"


def test_of_a_case_the_share_and_the_error_rate_of_a_region_are_of_all_its_voxels(project, found):
    evaluation = build_evaluation(project, found)
    report = gather(project, found, evaluation)
    for card in report.cards:
        voxels = read_summary(found.prediction(card.case.id).summary, card.case.id).voxels
        for row in card.regions:
            assert row.share_of_volume == pytest.approx(voxels[row.key] / np.prod(GRID.size_xyz))
            assert row.rate == evaluation["regions"][row.key]["error_rate"]
    assert report.regions.flagged.share_of_errors == evaluation["flagged"]["share_of_errors"]


def test_the_shares_beside_the_measured_rates_are_of_the_cases_that_these_were_measured_on(project, found):
    errors = MapErrors({1: "Anterior", 2: "Posterior"})
    regions = np.repeat(np.array([1, 2, 3, 4], np.uint8), 25).reshape(1, 10, 10)
    truth = (np.arange(100).reshape(1, 10, 10) % 5 == 0).astype(np.uint8)
    errors.add(np.zeros_like(truth), regions, None, truth)
    write_json(found.error_rates_path, {**errors.to_json(), "validation_cases": 1})
    _, page = written(project, found)
    assert "measured on 1 validation case; the shares below are of the same voxels" in page.text
    assert page.text.count("20.0 % wrong") == 4 and "US, DC and DS together hold 75.0 %" in page.text
    assert "Share of the predicted volume" not in page.text


def test_the_chance_of_a_place_is_that_of_the_rates_beside_it(project, found):
    evaluation = build_evaluation(project, found)
    first = rank(project, found).cases[0].case
    paths = found.prediction(first)
    (segmentation, _), (regions, _) = read_labels(paths.segmentation, first), read_labels(paths.regions, first)
    uncertainty = read_image([paths.uncertainty], first).array[0]
    place = find_places(segmentation, regions, GRID, project.labels, uncertainty=uncertainty)[0]
    rates = {key: row["error_rate"] for key, row in evaluation["regions"].items()}
    chance = sum(share * rates[key] for key, share in place.regions.items())
    _, page = written(project, found, evaluation)
    assert place_text(replace(place, chance=chance)) in page.text
    assert "chance to be wrong not yet measured" not in page.text


def test_a_random_order_claims_nothing_but_that_it_is_one(project, found):
    rank(project, found)
    _, page = written(project, found)
    assert "ranked by combined: most errors to be expected" in page.text
    assert "% of a structure per minute" in page.text and "Ordered by gain times unlikeness" in page.text
    rank(project, found, "random")
    text, page = written(project, found)
    assert "ranked by random: at random" in page.text
    assert "Gain" not in page.text and "most errors" not in page.text and "Unlikeness" not in page.text
    assert "% of the largest possible" in page.text, "the uncertainty is the model's, however the cases are ordered"


def test_every_strategy_of_the_catalogue_has_a_report(project, found):
    for strategy in STRATEGY_NAMES:
        rank(project, found, strategy)
        _, page = written(project, found)
        assert f"Ranking by {strategy.replace('_', ' ')}" in page.text


def test_all_structures_of_a_case_are_listed_with_their_volume(tmp_path):
    project = build_project(tmp_path / "project")
    found = build_round(project)
    case = rank(project, found).cases[0].case
    summary = read_summary(found.prediction(case).summary, case)
    names = [f"A structure with the number {number}" for number in range(40)]
    write_json(found.prediction(case).summary, {**summary.to_json(), "volume_ml": {name: 1.25 for name in names}})
    _, page = written(project, found)
    assert [name for name in names if f"{name} 1.25 ml" not in page.text] == []


def test_colours_come_from_the_palettes_of_a_light_and_of_a_dark_page(project, found):
    text, _ = written(project, found, build_evaluation(project, found))
    style = text[text.index("<style>") : text.index("</style>")]
    light, dark = re.findall(r":root \{([^}]*--paper[^}]*)\}", style)
    names = {each: set(re.findall(r"--([\w-]+):", each)) for each in (light, dark)}
    assert names[dark] <= names[light] and len(names[light] - names[dark]) == 4, "the regions look the same"
    on_regions = r"\.(uc|us|dc|ds) \{[^}]*\}"
    others = re.sub(on_regions, "", style.replace(light, "").replace(dark, ""))
    assert set(re.findall(r"#[0-9a-f]{3,6}\b", others)) == {"#14171c"}, "but for the ground of the pictures"
    drawn = re.findall(r'(?:fill|stroke)="(#[^"]*)"', text)
    assert drawn == []


def test_text_from_the_project_is_never_markup(tmp_path):
    project = build_project(tmp_path / "project", name=HOSTILE)
    document = (project.path / "project.json").read_text(encoding="utf-8")
    hostile = document.replace('"Anterior"', '"<b onload=x>"')
    (project.path / "project.json").write_text(hostile, encoding="utf-8")
    project = Project.open(project.path)
    found = build_round(project)
    events = JobWriter(found, every_s=0.0)
    events.write("warning", message=HOSTILE + "\x00\x1b")
    events.write("case_failed", case=HOSTILE, file=HOSTILE, reason=HOSTILE)
    ranking = rank(project, found).to_json()
    ranking["cases"][0]["reason"] = HOSTILE
    write_json(found.ranking_path, ranking)
    evaluation = build_evaluation(project, found)
    evaluation["failed"] = {HOSTILE: HOSTILE}
    text, page = written(project, found, evaluation)
    assert "<script" not in text and "<b onload" not in text
    assert "script" not in page.tags and "b" not in page.tags
    assert page.text.count(HOSTILE) >= 5 and "<b onload=x>" in page.text
    assert "\x00" not in text and "\x1b" not in text


def test_attributes_cannot_be_broken_out_of():
    assert tag("p", "a", class_='x" onclick="y') == '<p class="x&#34; onclick=&#34;y">a</p>'
    assert tag("p", ["<i>", tag("b", "&"), None, 3]) == "<p>&lt;i&gt;<b>&amp;</b>3</p>"


def test_a_round_that_has_only_begun_has_a_report(project):
    found = project.new_round({"config": {}})
    _, page = written(project, found, with_pictures=True)
    assert "No case is predicted yet" in page.text
    assert "has not reported a step" in page.text
    assert "created" in page.text


def test_a_failed_round_says_why(project):
    found = project.new_round({"config": {"framework": "cps", "loss": "metassl"}})
    events = JobWriter(found, every_s=0.0)
    events.write("started", device="cpu", device_name="CPU", precision="fp32")
    events.write("failed", message="the memory is full", hint="use a smaller image")
    _, page = written(project, found)
    assert "the memory is full use a smaller image" in page.text and "failed" in page.text


def test_a_case_labelled_since_it_was_ranked_is_not_waiting_any_more(project, found):
    first = rank(project, found).cases[0].case
    truth = volume(1, np.random.default_rng(1))[1]
    _, before = written(project, found)
    project.add_label(first, (truth, GRID), state="corrected")
    _, after = written(project, found)
    assert f"first: {first}" in before.text and f"first: {first}" not in after.text
    assert "1 corrected" in after.text


@pytest.mark.parametrize("wrong", [{"dice": 1}, {"n_cases": 1, "failed": {}}, {"schema_version": 1}, {"n_cases": -1}])
def test_what_is_no_evaluation_is_refused_in_one_line(tmp_path, wrong):
    write_json(tmp_path / "other.json", wrong)
    with pytest.raises(ProjectError, match="evaluation.*other.json") as error:
        read_evaluation(tmp_path / "other.json")
    assert "\n" not in str(error.value)


def test_an_evaluation_that_lacks_a_figure_of_a_label_is_damaged(project, found, tmp_path):
    evaluation = build_evaluation(project, found)
    write_json(tmp_path / "whole.json", evaluation)
    assert read_evaluation(tmp_path / "whole.json")["dice"] == evaluation["dice"]
    del evaluation["hd95_mm"]["per_class"]["Anterior"]
    write_json(tmp_path / "torn.json", evaluation)
    with pytest.raises(ProjectError, match="damaged.*torn.json"):
        read_evaluation(tmp_path / "torn.json")


def test_an_evaluation_of_no_case_is_as_none(project, found):
    _, page = written(project, found, {"n_cases": 0, "failed": {"a": "torn"}})
    assert "Not yet measured against true annotations" in page.text


def test_a_damaged_ranking_is_refused_naming_its_file(project, found):
    write_json(found.ranking_path, {"cases": [{"score": "high"}]})
    with pytest.raises(MetaSSLError, match=r"ranking\.json"):
        written(project, found)


def test_a_report_that_cannot_be_written_is_a_project_error(project, found):
    (project.path.parent / "out").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(MetaSSLError, match="out"):
        written(project, found)


def test_a_resumed_training_shows_each_step_once(project):
    found = project.new_round({"config": {}})
    events = JobWriter(found, every_s=0.0)
    for step in (10, 20, 30, 20, 25):
        report_step(events, step, 100)
    text, page = written(project, found)
    assert "25 of 100" in page.text
    line = re.search(r'<path d="([^"]+)" class="line s0"', text).group(1)
    assert len(re.findall("[ML]", line)) == 3  # 10, 20, 25


def test_of_a_training_that_reported_one_step_the_loss_is_a_dot_and_no_chart_is_empty(project):
    found = project.new_round({"config": {}})
    report_step(JobWriter(found, every_s=0.0), 7, 100)
    text, page = written(project, found)
    assert "7 of 100" in page.text and "Loss" in page.text and "Regions of the unlabelled images" not in page.text
    assert len(re.findall(r'<circle [^>]*class="point s\d"', text)) == 3  # total, supervised, consistency


def test_a_volume_too_small_for_two_decimals_is_not_shown_as_0(project, found):
    case = rank(project, found).cases[0].case
    summary = read_summary(found.prediction(case).summary, case)
    write_json(found.prediction(case).summary, {**summary.to_json(), "volume_ml": {"Anterior": 0.00005}})
    _, page = written(project, found)
    assert page.text.count("0.05 mm³") == 2 and "0.00 ml" not in page.text


def spent(project: Project, case: str, state: str, seconds: float, when: str, **changes) -> None:
    changes = {"state": state, "label_version": "a" * 64, "seconds_spent": seconds, "annotated": when, **changes}
    project.update_case(case, **changes)


def test_the_minutes_that_the_panel_recorded_tell_what_was_saved(project, found):
    text, page = written(project, found)
    assert 'id="time"' not in text and "#time" not in text, "nothing was recorded"

    spent(project, "case_00", "labelled", 300, "2026-11-30T10:00:00.000+00:00")
    spent(project, "case_01", "labelled", 420, "2026-11-30T11:00:00.000+00:00")
    _, page = written(project, found)
    assert "2 cases in 12 min, 6 min each. All were drawn without a prediction" in page.text

    spent(project, "case_03", "corrected", 120, "2026-11-30T12:00:00.000+00:00")
    spent(project, "case_04", "accepted", 60, "2026-11-30T13:00:00.000+00:00")
    spent(project, "case_05", "accepted", 0, "2026-11-30T14:00:00.000+00:00", unseen=True)
    time = gather(project, found, None).time
    assert (time.seconds, time.untimed, time.unseen) == ((300, 420, 120, 60), 1, 1), "case_02 came as a file"
    assert time.minutes(drawn=False) == [(3, 2.0), (4, 1.0)] and time.saved == 2 * 360 - 180
    _, page = written(project, found)
    told = "The 2 drawn without a prediction took 6 min each, the 2 with one 1 min 30 s: 9 min saved so far."
    assert told in page.text and "15 min, 3 min 45 s each" in page.text and "Accepted unseen 1 case" in page.text

    spent(project, "case_03", "corrected", 1200, "2026-11-30T12:00:00.000+00:00")
    assert "more than drawing them so far" in written(project, found)[1].text
