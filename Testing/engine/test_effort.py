"""What a case will cost: errors deeper than the tolerance, the slices that hold them, and the seconds."""

from __future__ import annotations

import numpy as np
import pytest
from metassl.evaluation.effort_model import MeasuredEffort, fit_effort_model, measured_effort
from metassl.files import write_json
from metassl.imaging import IGNORE, Geometry, read_labels
from metassl.imaging.unit_maps import read_unit_map
from metassl.inference import error_model
from metassl.inference.deep_errors import PLAIN, expected_deep_errors
from metassl.inference.measured import measured_error_rates
from metassl.inference.predict import predict_project
from metassl.intake import new_project
from metassl.project.annotations import login_name
from metassl.project.effort.cost import Costs
from metassl.project.effort.depth import deep_errors, error_depth_mm, tolerance_of
from metassl.project.effort.expected import Effort, EffortModel, expected_effort
from metassl.project.effort.looked import looked_at, slices_to_look_at
from metassl.project.effort.pace import pace_of
from metassl.project.effort.slices import with_slices
from metassl.project.effort.words import how_known, roundly, work_text
from metassl.project.round_files import read_error_rates, read_ranking, read_summary
from metassl.selection.rank import rank
from random_model import add_round, random_model

SHAPE = (12, 20, 20)
EVEN = Geometry(SHAPE[::-1], (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))


def pair_of(*probabilities: np.ndarray) -> np.ndarray:
    """Softmaxes (2, K, z, y, x) of two networks that agree: of the structures as given, of background the rest."""
    classes = np.stack([1 - sum(probabilities), *probabilities]).astype(np.float16)
    return np.stack([classes, classes])


def block(value: float = 1.0, **sides: slice) -> np.ndarray:
    array = np.zeros(SHAPE)
    array[sides.get("z", slice(3, 9)), sides.get("y", slice(5, 15)), sides.get("x", slice(5, 15))] = value
    return array


def effort(**changes) -> Effort:
    fields = {"tolerance_mm": 2.0, "axis": 0, "looked": 10, "voxels": [0.0, 50.0, 2.0, 0.0], "clump_voxels": 5.0}
    return Effort(**{**fields, "scale": 2.0, "cases": 0, **changes})


# ------------------------------------------------------------------ measured against an annotation


@pytest.mark.parametrize("seed", range(3))
def test_some_voxel_is_a_deep_error_just_where_the_depth_is_above_the_tolerance(seed):
    random = np.random.default_rng(seed)
    label, prediction = block(z=slice(2, 9)).astype(np.uint8), block(z=slice(3, 10), x=slice(3, 13)).astype(np.uint8)
    prediction[random.random(SHAPE) < 0.01], label[random.random(SHAPE) < 0.05] = 2, IGNORE
    spacing = (2.5, 1.0, 0.5)
    depth = error_depth_mm(prediction, label, spacing, [1, 2])
    for tolerance in (0.0, 1.0, 2.5, depth - 1e-3, depth, 50.0):
        deep = deep_errors(prediction, label, spacing, [1, 2], tolerance)
        assert deep.any() == (depth > tolerance) and not deep[label == IGNORE].any()
        assert not (deep & (prediction == label)).any()


# ------------------------------------------------------------------ expected from the probabilities


def test_what_is_doubtful_beside_the_sure_part_is_no_deep_error_and_an_island_is_as_likely_as_the_networks_doubt_it():
    sure, rim, island = block(), block(0.6, x=slice(15, 17)), block(0.7, z=slice(4, 5), y=slice(7, 8), x=slice(0, 1))
    found = expected_deep_errors(pair_of(sure + rim + island), (1, 1, 1), 2.0)
    assert found[5, 10, 10] < 1e-3, "sure"
    assert found[5, 10, 15:17] == pytest.approx(PLAIN * 0.4, abs=0.01), "within 2 mm of what is sure"
    assert found[4, 7, 0] == pytest.approx(0.3 + PLAIN * 0.3, abs=0.01)


def test_what_may_be_missing_far_from_the_prediction_counts_by_its_probability_and_noise_does_not():
    far, near = block(0.4, x=slice(18, 19)), block(0.4, x=slice(15, 17))
    found = expected_deep_errors(pair_of(block() + far + near), (1, 1, 1), 2.0)
    assert found[5, 10, 18] == pytest.approx(0.4 + PLAIN * 0.4, abs=0.01)
    assert found[5, 10, 16] == pytest.approx(PLAIN * 0.4, abs=0.01)
    noise = expected_deep_errors(pair_of(block() + block(0.04, x=slice(18, 19))), (1, 1, 1), 2.0)
    assert noise[5, 10, 18] == pytest.approx(PLAIN * 0.04, abs=0.002)
    assert not expected_deep_errors(pair_of(np.zeros(SHAPE)), (1, 1, 1), 2.0).any()


def test_the_depth_is_in_millimetres_and_of_each_structure():
    first, second = block(x=slice(5, 10)), block(0.8, x=slice(10, 15)) + block(0.8, x=slice(15, 16))
    found = expected_deep_errors(pair_of(first, second), (5.0, 1.0, 1.0), 2.0)
    assert found[4, 10, 12] == pytest.approx(0.2 + PLAIN * 0.2, abs=0.01), "nothing of it is sure"
    one_slice_more = pair_of(block(z=slice(3, 8)) + block(0.6, z=slice(8, 9)))
    assert expected_deep_errors(one_slice_more, (5.0, 1.0, 1.0), 2.0)[8, 10, 10] > 0.39, "the next slice is 5 mm off"
    assert expected_deep_errors(one_slice_more, (1.0, 1.0, 1.0), 2.0)[8, 10, 10] < 0.03


# ------------------------------------------------------------------ slices and seconds


def test_slices_are_looked_at_from_one_before_the_structure_to_one_after_it_unless_they_are_known():
    deep = np.full(SHAPE, 1e-3, np.float32)
    deep[5], deep[6, 0, 0] = 0, 0.9
    found = expected_effort(block().astype(np.uint8), deep, EVEN, EffortModel(2.0, 3.0, 4.0, 7))
    assert (found.axis, found.looked, len(found.voxels), found.cases) == (0, 7, 12, 7)
    assert found.voxels[5] == 0 and found.voxels[6] == pytest.approx(3 * (0.9 + 0.399), rel=0.01)
    stack = Geometry(SHAPE[::-1], (1.0, 4.0, 1.0), EVEN.origin_xyz, EVEN.direction)
    across = expected_effort(block().astype(np.uint8), deep, stack, EffortModel(2.0, 3.0, 4.0, 7))
    assert (across.axis, across.looked, len(across.voxels)) == (1, 12, 20)
    assert expected_effort(np.zeros(SHAPE, np.uint8), deep, EVEN, EffortModel(2.0, 3.0, 4.0)).looked == 11


def test_seconds_are_those_of_opening_looking_and_correcting_and_nobody_corrects_for_longer_than_drawing_takes():
    costs = Costs()
    assert costs.review(30, 0, 0) == 10 + 60
    assert costs.review(30, 2, 40) == 10 + 60 + 12 + 2
    assert costs.review(30, 2, 4000) == 10 + 60 + 20
    found = effort()
    assert found.wrong == [0, pytest.approx(1.0, abs=1e-4), pytest.approx(0.33, abs=0.01), 0]
    assert found.seconds() == pytest.approx(10 + 20 + 6 * 1.33 + 0.05 * 52, abs=0.1)
    assert found.slice_seconds() == [2, pytest.approx(10.5, abs=0.1), pytest.approx(4.1, abs=0.1), 2]


def test_what_is_said_of_seconds_is_no_more_exact_than_they_are():
    assert [roundly(each) for each in (0, 7, 13, 44, 118, 200, 3000)] == [5, 5, 15, 40, 120, 210, 3000]
    assert work_text(38) == "about 40 s of work"


# ------------------------------------------------------------------ measured on cases with an annotation


def made_up_cases(count: int, scale: float, clump: float) -> list[MeasuredEffort]:
    random = np.random.default_rng(0)
    cases = []
    for _ in range(count):
        expected = random.gamma(0.5, 10, 40)
        deep = [random.poisson(clump, random.poisson(scale * each / clump)).sum() for each in expected]
        cases.append(MeasuredEffort(expected, np.array(deep), 1.0))
    return cases


def test_how_wrong_such_maps_prove_is_found_in_many_cases_and_hardly_believed_of_few():
    found = fit_effort_model(made_up_cases(100, 0.7, 12), 2.0)
    assert found["scale"] == pytest.approx(0.7, abs=0.1) and found["clump_mm2"] == pytest.approx(12, abs=2)
    assert found["spearman"] > 0.4 and found["cases"] == 100
    few = fit_effort_model(made_up_cases(3, 0.2, 12), 2.0)
    assumed = EffortModel.of(None, 2.0)
    assert 0.2 + 0.5 < few["scale"] < assumed.scale
    assert fit_effort_model(made_up_cases(2, 1, 1), 2.0) is None
    right = [MeasuredEffort(each.expected, 0 * each.deep, 1.0) for each in made_up_cases(8, 1, 1)]
    assert 0 < fit_effort_model(right, 2.0)["scale"] < 1 and fit_effort_model(right, 0.0)["clump_mm2"] > 0


def test_what_was_measured_for_another_tolerance_does_not_count():
    measured = fit_effort_model(made_up_cases(20, 0.7, 12), 2.0)
    assert EffortModel.of(measured, 2.0).cases == 20
    assert EffortModel.of(measured, 3.0) == EffortModel.of(None, 3.0) and EffortModel.of(None, 3.0).cases == 0


def test_a_case_is_measured_slice_by_slice_and_not_in_those_that_are_not_annotated_as_a_whole():
    label, prediction = block().astype(np.uint8), block(x=slice(5, 19)).astype(np.uint8)
    expected = np.full(SHAPE, 0.5, np.float32)
    found = measured_effort(prediction, expected, label, EVEN, [1], 2.0)
    assert (found.expected == 200).all() and found.deep.tolist() == [0] * 3 + [10 * 2] * 6 + [0] * 3
    label[:4], label[7, 0, 0] = IGNORE, IGNORE
    found = measured_effort(prediction, expected, label, EVEN, [1], 2.0)
    assert len(found.expected) == 7 and found.deep.tolist() == [20] * 4 + [0] * 3, "as much as before"
    label[:, 0, 0] = IGNORE
    assert measured_effort(prediction, expected, label, EVEN, [1], 2.0) is None


# ------------------------------------------------------------------ what was looked at


def accepted_in_part(seed: int, chosen: float) -> tuple[np.ndarray, ...]:
    """A prediction, its map of deep errors, the truth, and the label of whoever looked only at slices of which more
    than `chosen` voxels are expected to be wrong, and at those beside a wrong one; which slices these are."""
    random = np.random.default_rng(seed)
    prediction = block().astype(np.uint8)
    expected = random.gamma(1.0, 2.0, len(prediction))
    truth = prediction.copy()
    for place in np.flatnonzero(random.random(len(prediction)) < 0.08 * expected):  # 20 voxels where it is wrong
        truth[place, 0, :] = 1
    deep, label = np.zeros(SHAPE, np.float32), prediction.copy()
    deep[:, 0, :10] = expected[:, None] / 10
    looked, waiting = set(), [*np.flatnonzero(expected > chosen)]
    while waiting:
        place = waiting.pop()
        looked.add(int(place))
        label[place] = truth[place]
        if (truth[place] != prediction[place]).any():
            waiting += [each for each in (place - 1, place + 1) if 0 <= each < len(truth) and each not in looked]
    return prediction, deep, truth, label, sorted(looked)


def test_slices_that_nobody_looked_at_are_no_evidence_that_the_prediction_was_right():
    scales = {}
    for kind in ("truth", "looked at", "as if all was looked at"):
        cases = []
        for seed in range(60):
            prediction, deep, truth, label, looked = accepted_in_part(seed, 4.0)
            shown = {"truth": truth, "looked at": with_slices(label, None, 0, looked)}.get(kind, label)
            cases.append(measured_effort(prediction, deep, shown, EVEN, [1], 2.0))
        cases = [each for each in cases if each is not None]
        scales[kind] = fit_effort_model(cases, 2.0)["scale"]
    assert scales["looked at"] == pytest.approx(scales["truth"], rel=0.15)
    assert scales["as if all was looked at"] < 0.75 * scales["truth"], "it is worth a test"


def test_what_there_is_to_look_at_is_what_shows_a_structure_and_a_slice_at_each_end():
    label, prediction = block().astype(np.uint8), block(z=slice(4, 8)).astype(np.uint8)
    assert slices_to_look_at(0, label, prediction) == range(2, 10)
    assert slices_to_look_at(0, np.zeros(SHAPE, np.uint8)) == range(12)
    assert looked_at(label, prediction, 0, range(2, 10)) is None
    assert looked_at(label, prediction, 0, [2, *range(4, 8), 9]) is None, "3 and 8 were changed, so they were seen"
    assert looked_at(label, prediction, 0, [5]) == [3, 5, 8]
    assert looked_at(np.where(label == 0, np.uint8(IGNORE), label), prediction, 0, [5]) is None, "the label says it"


# ------------------------------------------------------------------ in a project


def test_a_prediction_says_what_it_will_cost_by_what_was_measured_of_the_round(tmp_path, decathlon, monkeypatch):
    monkeypatch.setattr(error_model, "ITERATIONS", 20)
    project, _ = new_project(tmp_path / "project", decathlon, labelled=1, validation=3)
    model = random_model(project)
    found = add_round(project, model)
    predict_project(project, device="cpu")
    case = project.unlabelled_cases()[0].id
    before = read_summary(found.prediction(case).summary, case).effort
    assert before.is_assumed and before.tolerance_mm == tolerance_of(project) == 2.0
    measured = measured_error_rates(project, found, model)
    assert measured.effort_model["cases"] == 3
    write_json(found.error_rates_path, measured.to_json())
    assert read_error_rates(found).effort_model == measured.effort_model
    predict_project(project, [case], device="cpu")
    after = read_summary(found.prediction(case).summary, case).effort
    assert after.cases == 3 and after.scale == measured.effort_model["scale"]
    deep, grid = read_unit_map(found.prediction(case).deep_errors, case)
    assert (
        after.wrong_voxels == pytest.approx(after.scale * deep.sum(), rel=0.05)
        and len(after.voxels) == grid.shape_zyx[0]
    )
    project.update_settings(tolerance_mm=3)
    predict_project(project, [case], device="cpu")
    assert read_summary(found.prediction(case).summary, case).effort.is_assumed, "it was measured for 2 mm"


def test_corrections_teach_what_predictions_cost_where_there_are_no_validation_cases(tiny_project):
    model = random_model(tiny_project)
    add_round(tiny_project, model)
    predict_project(tiny_project, device="cpu")
    label, geometry = tiny_project.read_label("case_0")
    for case in ("case_3", "case_4", "case_5"):
        tiny_project.add_label(case, (label, geometry), state="corrected")
    for each in tiny_project.validation_cases():
        tiny_project.set_aside([each.id])
    later = add_round(tiny_project, model)
    assert measured_error_rates(tiny_project, later, model).effort_model["cases"] == 3
    tiny_project.update_settings(tolerance_mm=3)
    assert measured_error_rates(tiny_project, later, model).effort_model is None, "the maps are of 2 mm"


def test_a_prediction_that_was_looked_at_in_part_is_measured_in_that_part_however_it_was_accepted(tiny_project):
    model = random_model(tiny_project)
    add_round(tiny_project, model)
    predict_project(tiny_project, device="cpu")
    truth, geometry = tiny_project.read_label("case_0")
    for each in tiny_project.validation_cases():
        tiny_project.set_aside([each.id])
    later, cases = add_round(tiny_project, model), ("case_3", "case_4", "case_5")

    def measured(looked: list[int] | None, partly: bool = False):
        for case in cases:
            tiny_project.add_label(case, (label(case, partly), geometry), state="corrected", looked=looked)
            assert tiny_project.case(case).looked == looked
        return measured_error_rates(tiny_project, later, model)

    def label(case: str, partly: bool) -> np.ndarray:
        prediction = read_labels(tiny_project.prediction(case)[1].segmentation, case)[0]
        return with_slices(truth, None if partly else prediction, 0, [4, 5])

    part, whole, slices = measured([4, 5]), measured(None), measured(None, partly=True)
    assert part == slices, "as if only these slices were annotated"
    assert part.effort_model["deep_voxels"] == whole.effort_model["deep_voxels"] > 0
    assert part.effort_model["expected_voxels"] < whole.effort_model["expected_voxels"]
    assert part.effort_model["scale"] > whole.effort_model["scale"]
    assert part.dice_model is None
    assert measured([]) is None, "nobody has looked at anything"


def test_annotated_slices_of_a_case_cost_nothing_any_more(tiny_project):
    model = random_model(tiny_project)
    label, geometry = tiny_project.read_label("case_0")
    part = np.full_like(label, IGNORE)
    part[4:6] = label[4:6]
    tiny_project.add_label("case_3", (part, geometry))
    found = add_round(tiny_project, model)
    predict_project(tiny_project, device="cpu")
    known, other = (read_summary(found.prediction(case).summary, case).effort for case in ("case_3", "case_4"))
    assert known.voxels[4:6] == [0, 0] and known.looked == other.looked - 2
    assert known.seconds() < other.seconds()


def test_the_ranking_says_the_work_and_the_strategy_of_deep_errors_puts_most_of_them_per_second_first(tiny_project):
    found = add_round(tiny_project, random_model(tiny_project))
    predict_project(tiny_project, device="cpu")
    ranking = rank(tiny_project, found, "deep_errors")
    assert len(ranking.cases) == 3 and read_ranking(found) == ranking
    for entry in ranking.cases:
        known = read_summary(found.prediction(entry.case).summary, entry.case).effort
        assert entry.seconds == pytest.approx(known.seconds()) and entry.reason.endswith(work_text(entry.seconds))
        assert entry.score == pytest.approx(60 * entry.parts["mm3"] / entry.parts["seconds"])
    assert rank(tiny_project, found).cases[0].reason.endswith("of work")


def test_the_assumption_is_named(tiny_project):
    told = how_known(effort(), pace_of(tiny_project))
    assert "assumed, and not measured yet" in told and "seconds assumed: 10 to open a case" in told
    assert "as measured on 9 cases" in how_known(effort(cases=9), pace_of(tiny_project))


def test_recorded_times_scale_the_seconds_once_there_are_eight_of_ones_own(tmp_path, decathlon, monkeypatch):
    project, _ = new_project(tmp_path / "project", decathlon, labelled=1)
    found = add_round(project, random_model(project))
    predict_project(project, device="cpu")
    cases = [case.id for case in project.unlabelled_cases()]
    for case in cases:
        expected = read_summary(found.prediction(case).summary, case).effort.seconds()
        project.add_label(case, read_labels(found.prediction(case).segmentation, case), state="accepted")
        project.update_case(case, seconds_spent=2 * expected)
    assert pace_of(project).cases == 0, "five are too few"
    monkeypatch.setattr("metassl.project.effort.pace.LEAST_CASES", 5)
    assert (pace_of(project).cases, pace_of(project).factor) == (5, pytest.approx(2.0, rel=0.01))
    project.update_case(cases[0], looked=[1, 2])
    assert pace_of(project).cases == 0, "it was looked at in part"
    project.update_case(cases[0], looked=None, annotator="another")
    assert pace_of(project).cases == 0 and login_name() != "another"
