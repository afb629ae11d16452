"""Offsets on the log-probabilities: what they move, how they are chosen, and when they are left alone."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from in_process import trainings_in_this_process
from metassl.cli import main
from metassl.data.preprocess import prepare_image
from metassl.evaluation.metrics import dice
from metassl.files import ProjectError, write_json
from metassl.imaging.images import IGNORE, read_image, read_labels
from metassl.inference import error_model
from metassl.inference.calibration import calibrate_thresholds
from metassl.inference.model import TrainedModel
from metassl.inference.operating_point import offsets as choosing
from metassl.inference.operating_point import one_piece
from metassl.inference.operating_point.offsets import KnownCases, known_case, moved
from metassl.inference.operating_point.one_piece import loose
from metassl.inference.operating_point.point import AS_IT_IS, Point
from metassl.inference.predict import predict_project
from metassl.inference.predictor import predict_image
from metassl.inference.sliding_window import predict_pair
from metassl.intake import new_project
from metassl.jobs.start import start_training
from metassl.project import Project
from metassl.project.records import OperatingPoint
from metassl.project.round_files import read_operating_point
from metassl.training import operating_point as step
from metassl.training.inputs import Inputs
from metassl.training.job import Job
from metassl.training.operating_point import by_corrections, by_validation, choose_operating_point
from metassl.training.passes import Passes
from metassl.training.train import Trained
from random_model import add_round, random_model

CPU = torch.device("cpu")
VALUES = [0, 1, 2]


def softmaxes(seed: int, shape=(6, 7, 8), sharpness: float = 2.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(random.normal(scale=sharpness, size=(2, 3, *shape)).astype(np.float32))
    return logits.softmax(1).numpy()


def case_of(bias: float, seed: int):
    """Of a model that is wrong about structure 1 by `bias` in all of its logits."""
    truth_pair = softmaxes(seed, (8, 12, 12))
    truth_pair[1] = truth_pair[0]
    truth = truth_pair[0].argmax(0).astype(np.uint8)
    return known_case(moved(truth_pair, [0.0, bias, 0.0]), truth, VALUES)


def test_moving_is_the_softmax_of_shifted_logits_for_both_networks_in_place():
    pair, offsets = softmaxes(0), [0.0, 1.25, -0.5]
    shift = torch.tensor(offsets).view(1, 3, 1, 1, 1)
    expected = (torch.from_numpy(pair).log() + shift).softmax(1).numpy()
    found = moved(pair, offsets)
    assert found is pair
    np.testing.assert_allclose(found, expected, atol=1e-6)
    halves = pair.astype(np.float16)
    assert moved(halves.copy(), None).tobytes() == halves.tobytes()


def test_a_known_case_tells_the_dice_of_any_offsets_as_counting_all_voxels_does():
    pair = softmaxes(1, (9, 10, 11), sharpness=4.0)
    truth = np.random.default_rng(2).integers(0, 3, pair.shape[2:]).astype(np.uint8)
    truth[:2], truth[5, 5] = IGNORE, 1
    for missing in ((), (2,)):
        known = known_case(pair, np.where(truth == 2, 0, truth) if missing else truth, VALUES, missing)
        assert 0 < known.softmaxes.shape[2] < truth.size, "some voxels are the same at all offsets"
        for offsets in ([0.0, 0.0, 0.0], [0.0, 1.5, -0.75], [0.0, -2.0, 2.0]):
            shown = moved(pair.copy(), offsets).mean(0).argmax(0)
            shown = np.where(np.isin(shown, missing), 0, shown)
            judged = [value for value in VALUES[1:] if value not in missing]
            by_hand = [dice((shown == value) & (truth != IGNORE), truth == value) for value in judged]
            assert known.dice(offsets) == pytest.approx(np.mean(by_hand))


def test_of_many_voxels_some_are_weighed_for_all(monkeypatch):
    monkeypatch.setattr(choosing, "MOST_VOXELS", 300)
    pair = softmaxes(3, (16, 16, 16), sharpness=1.0)
    truth = pair[0].argmax(0).astype(np.uint8)
    known = known_case(pair, truth, VALUES)
    assert known.softmaxes.shape[2] == 300
    monkeypatch.undo()
    assert known.dice([0, 0, 0]) == pytest.approx(known_case(pair, truth, VALUES).dice([0, 0, 0]), abs=0.05)


def test_an_error_that_all_cases_share_is_found_and_mended():
    point = by_validation([case_of(-1.0, seed) for seed in range(6)], [], VALUES)
    assert point.used and point.cases == 6 and point.gain > 0.02
    assert point.offsets["1"] == pytest.approx(1.0, abs=0.25) and abs(point.offsets["2"]) <= 0.25
    assert "6 validation cases, each left out in turn" in point.reason


def test_errors_of_each_case_alone_switch_it_off():
    cases = [case_of(bias, seed) for seed, bias in enumerate([-1.0, 1.0, -1.0, 1.0, -1.0, 1.0])]
    point = by_validation(cases, [], VALUES)
    assert not point.used and point.gain < 0.01
    assert point.describe({1: "Head"}).startswith("off (")


def test_a_model_that_is_right_as_it_is_stays_so():
    point = by_validation([case_of(0.0, seed) for seed in range(5)], [], VALUES)
    assert not point.used and point.gain == 0 and point.offsets == {"1": 0.0, "2": 0.0}


def test_former_corrections_help_to_choose_only_where_validation_cases_are_better_for_it():
    own = [case_of(-1.0, seed) for seed in range(5)]
    alike = by_validation(own, [case_of(-1.0, seed) for seed in range(10, 14)], VALUES)
    other = by_validation(own, [case_of(1.5, seed) for seed in range(10, 24)], VALUES)
    assert alike.used and other.used
    assert "helped to choose" not in other.reason and other.offsets["1"] == pytest.approx(1.0, abs=0.25)


def test_without_validation_cases_what_one_rounds_corrections_say_is_tried_on_the_next_ones(tiny_project):
    former = tiny_project.new_round({"labels": {}, "config": {}})
    corrected = KnownCases([case_of(-1.0, seed) for seed in range(5)])
    first = by_corrections(corrected, None, None, former, VALUES)
    assert not first.used and first.offsets["1"] > 0.5 and "the next round" in first.reason
    tried = replace(first, offsets={"1": 0.5, "2": 0.0})
    second = by_corrections(corrected, None, tried, former, VALUES)
    assert second.used and second.offsets == tried.offsets, "what was tried, not what these would choose for themselves"
    unlike = KnownCases([case_of(1.0, seed) for seed in range(5)])
    assert not by_corrections(unlike, None, first, former, VALUES).used


def test_without_validation_cases_it_stays_until_corrections_speak_against_it(tiny_project):
    former, shown = tiny_project.new_round({"labels": {}, "config": {}}), [0.0, 1.0, 0.0]
    right = KnownCases([case_of(-1.0, seed) for seed in range(5)])
    kept = by_corrections(right, shown, None, former, VALUES)
    assert kept.used and kept.offsets == {"1": 1.0, "2": 0.0}
    assert not by_corrections(KnownCases([case_of(0.0, seed) for seed in range(5)]), shown, None, former, VALUES).used


@pytest.mark.parametrize("with_structure", [0, 1, 4])
@pytest.mark.parametrize("shown", [None, (0.0, -1.0, 0.0)])
def test_corrections_that_left_nothing_drawn_do_not_count_among_the_five(tiny_project, shown, with_structure):
    nothing = np.zeros((2, 3, 4, 4, 4), np.float32)
    nothing[:, 0] = 1.0
    empty = [known_case(nothing, np.zeros((4, 4, 4), np.uint8), VALUES) for _ in range(5)]
    cases = KnownCases([*empty, *[case_of(1.0, seed) for seed in range(with_structure)]])
    former = tiny_project.new_round({"labels": {}, "config": {}})
    point = by_corrections(cases, shown, None, former, VALUES)
    assert not point.used
    assert "with a structure, of 5" in point.reason


def test_a_validation_case_without_a_structure_where_a_speck_is_predicted_decides_nothing():
    speck = np.full((2, 3, 4, 4, 4), 0.01, np.float32)
    speck[:, 0] = 0.98
    speck[:, :, 2, 2, 2] = np.array([0.4, 0.59, 0.01])
    case = known_case(speck, np.zeros((4, 4, 4), np.uint8), VALUES)
    assert case.dice([0.0, 0.0, 0.0]) == 0 and np.isnan(case.dice([0.0, -2.0, 0.0]))
    own = [case_of(1.0, seed) for seed in range(6)]
    assert by_validation([*own, case], [case], VALUES) == by_validation(own, [], VALUES)


@pytest.fixture
def project(tmp_path, decathlon) -> Project:
    """One labelled case, three for validation, two without a label."""
    made, _ = new_project(tmp_path / "project", decathlon, labelled=1, validation=3)
    return made


def trained(project: Project, monkeypatch):
    with trainings_in_this_process(monkeypatch):
        found = start_training(project, iterations=2, device="cpu")
    assert (found.path / "status.json").read_text(encoding="utf-8").count('"finished"'), "the training failed"
    return found


def test_a_round_predicts_maps_and_measures_at_the_point_that_it_has_chosen(project, monkeypatch, capsys):
    monkeypatch.setattr(step, "LEAST_CASES", 3)
    monkeypatch.setattr(choosing, "LEAST_GAIN", -1.0)
    monkeypatch.setattr(choosing, "LEAST_ERRORS", -10.0)
    monkeypatch.setattr(choosing, "COST", 0.0)
    monkeypatch.setattr(error_model, "ITERATIONS", 10)
    found = trained(project, monkeypatch)
    point, model = read_operating_point(found), TrainedModel.load(found.model_path, CPU)
    assert point.used and point.cases == 3
    assert model.point.offsets == [0.0, *point.offsets.values()] and any(model.point.offsets)

    pool = [case.id for case in project.unlabelled_cases()]
    images = {case: read_image(project.image_paths(case), case) for case in pool}
    passes = [predict_image(model, image, case) for case, image in images.items()]
    for case, made in zip(pool, passes, strict=True):
        kept = found.prediction(case)
        assert np.array_equal(read_labels(kept.segmentation, case)[0], made.segmentation)
        assert np.array_equal(read_labels(kept.regions, case)[0], made.regions)
    plain = replace(model, point=AS_IT_IS)
    assert any(
        (predict_image(plain, images[case], case).segmentation != made.segmentation).any()
        for case, made in zip(pool, passes, strict=True)
    )

    softmaxes = []
    for case in pool:
        prepared = prepare_image(project.image_paths(case), model.plan, case)
        softmaxes.append(predict_pair(model.networks, prepared.array, model.plan, CPU, point=model.point))
    assert torch.allclose(calibrate_thresholds(softmaxes, model.plan), model.thresholds, atol=1e-6)

    for command in ("rounds", "status"):
        assert main([command, str(project.path)]) == 0
        assert point.describe({1: "Front", 2: "Back"}) in capsys.readouterr().out


@pytest.mark.parametrize("pieces", ["auto", "all"])
def test_a_round_shows_structures_in_one_piece_unless_all_pieces_are_asked_for(project, monkeypatch, pieces):
    monkeypatch.setattr(one_piece, "LEAST_CASES", 4)
    with trainings_in_this_process(monkeypatch):
        found = start_training(project, iterations=2, device="cpu", pieces=pieces)
    point, model = read_operating_point(found), TrainedModel.load(found.model_path, CPU)
    assert point.one_piece == ({"1": 4, "2": 4} if pieces == "auto" else {})
    assert list(model.point.one_piece) == ([1, 2] if pieces == "auto" else [])
    assert ("in one piece, as in all annotations: Front (4), Back (4)" in point.describe({1: "Front", 2: "Back"})) == (
        pieces == "auto"
    )
    several = 0
    for case in project.unlabelled_cases():
        labels = read_labels(found.prediction(case.id).segmentation, case.id)[0]
        several += any(loose(labels == value).any() for value in (1, 2))
    assert bool(several) == (pieces == "all"), "networks of two steps draw specks"


WARNINGS: list[str] = []


def job_of(project: Project, model: TrainedModel, **record) -> tuple[Job, Trained]:
    config = {"framework": "cps", "loss": "metassl", "device": "cpu", "seed": 0, "iterations": 1}
    content = {"labels": {}, "validation": {}, "unlabelled": [], "versions": {}, "config": config, **record}
    found = project.new_round(content)
    return Job(
        project, found, lambda event, **told: WARNINGS.append(told["message"]) if event == "warning" else None
    ), Trained(model.networks, model.plan, model.step)


def test_too_few_validation_cases_are_told_and_nothing_is_moved(project, capsys):
    job, networks = job_of(project, random_model(project))
    passes = Passes()
    assert choose_operating_point(job, networks, Inputs(), passes) == AS_IT_IS
    point = read_operating_point(job.round)
    assert (point.used, point.reason) == (
        False,
        "3 validation cases, 0 corrections of a former round: it takes 5 of a kind",
    )
    assert all(case.id in passes for case in project.validation_cases()), "what is measured next needs them too"
    assert main(["rounds", str(project.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rounds"][0]["operating_point"]["used"] is False


def test_cases_that_a_round_has_learnt_from_do_not_choose_its_point(project, monkeypatch):
    monkeypatch.setattr(step, "LEAST_CASES", 1)
    learnt = {case.id: "a" * 64 for case in project.validation_cases()}
    job, networks = job_of(project, random_model(project), labels=learnt)
    assert choose_operating_point(job, networks, Inputs(), Passes()) == AS_IT_IS
    assert (
        read_operating_point(job.round).reason
        == "0 validation cases, 0 corrections of a former round: it takes 1 of a kind"
    )


def test_a_model_from_elsewhere_is_used_as_it_is(project):
    job, networks = job_of(project, random_model(project), source={"models": ["m"], "values": {}})
    assert choose_operating_point(job, networks, Inputs(), Passes()) == AS_IT_IS
    assert read_operating_point(job.round).reason == "a model from elsewhere is used as it is"


def test_a_model_that_is_calibrated_again_keeps_the_point_by_which_it_predicts(project):
    model = random_model(project)
    model.point = Point([0.0, 0.5, 0.0])
    job, networks = job_of(project, model)
    model.save(job.round.model_path)
    write_json(job.round.operating_point_path, OperatingPoint(True, {"1": 0.5, "2": 0.0}, "tested").to_json())
    assert choose_operating_point(job, networks, Inputs(), Passes()) == model.point
    job.round.operating_point_path.write_text("{", encoding="utf-8")
    WARNINGS.clear()
    assert choose_operating_point(job, networks, Inputs(), Passes()) == model.point, "the model tells it"
    assert read_operating_point(job.round).offsets == {"1": 0.5, "2": 0.0}
    assert len(WARNINGS) == 1 and str(job.round.operating_point_path) in WARNINGS[0]
    replace(model, point=Point(None, [2])).save(job.round.model_path)
    assert choose_operating_point(job, networks, Inputs(), Passes()) == Point(None, [2])
    assert read_operating_point(job.round).describe({2: "Back"}).endswith("in one piece, as in all annotations: Back")
    later = networks._replace(step=networks.step + 1)
    assert choose_operating_point(job, later, Inputs(), Passes()) == AS_IT_IS, "it was trained on since: chosen anew"


def test_a_model_by_which_cases_were_predicted_before_there_were_points_keeps_none(project, monkeypatch):
    monkeypatch.setattr(step, "_choose", lambda *_: OperatingPoint(True, {"1": 0.5}, "anew"))
    model = random_model(project)
    job, networks = job_of(project, model)
    model.save(job.round.model_path)
    assert choose_operating_point(job, networks, Inputs(), Passes()) == Point([0.0, 0.5, 0.0]), (
        "nothing was predicted yet"
    )
    job.round.operating_point_path.unlink()
    predict_project(project, [project.unlabelled_cases()[0].id], device="cpu")
    assert choose_operating_point(job, networks, Inputs(), Passes()) == AS_IT_IS
    assert read_operating_point(job.round).reason == "its cases were predicted without one"


def test_corrections_of_the_former_round_are_weighed_with_the_model_that_predicted_them(
    project, decathlon, monkeypatch
):
    monkeypatch.setattr(step, "LEAST_CASES", 2)
    for case in project.validation_cases():
        project.update_case(case.id, split="aside")
    add_round(project, random_model(project))
    predict_project(project, device="cpu")
    for case in [case.id for case in project.unlabelled_cases()]:
        assert main(["label", str(project.path), case, str(decathlon / "labelsTr" / f"{case}.nii.gz")]) == 0
    job, networks = job_of(project, random_model(project, seed=1))
    assert choose_operating_point(job, networks, Inputs(), Passes()) == AS_IT_IS
    point = read_operating_point(job.round)
    assert point.reason == "what 2 corrections of round 0001 say is tried on those of the next round"
    assert point.cases == 2 and any(point.offsets.values()), "an untrained model is not right as it is"

    former = project.round(1)
    former.operating_point_path.write_text("{", encoding="utf-8")
    WARNINGS.clear()
    job, networks = job_of(project, random_model(project, seed=1))
    assert choose_operating_point(job, networks, Inputs(), Passes()) == AS_IT_IS, (
        "what is damaged there does not end a training"
    )
    assert [str(former.operating_point_path) in told for told in WARNINGS] == [True]
    former.model_path.write_bytes(b"no model")
    WARNINGS.clear()
    job, networks = job_of(project, random_model(project, seed=1))
    assert choose_operating_point(job, networks, Inputs(), Passes()) == AS_IT_IS
    assert [str(former.model_path) in told for told in WARNINGS] == [True], "nor does it count for nothing unsaid"


def test_a_validation_case_that_cannot_be_read_is_told(project, monkeypatch):
    case = project.validation_cases()[0]
    project.accepted_label(case.id).write_bytes(b"no image")
    job, networks = job_of(project, random_model(project))
    WARNINGS.clear()
    choose_operating_point(job, networks, Inputs(), Passes())
    assert len(WARNINGS) == 1 and f"case {case.id} does not help to choose" in WARNINGS[0]


def test_a_next_round_and_another_project_start_from_the_networks_alone(tiny_project):
    model = random_model(tiny_project)
    model.point = Point([0.0, 1.0, -1.0], [2])
    found = add_round(tiny_project, model)
    loaded = TrainedModel.load(found.model_path, CPU)
    assert loaded.point == model.point
    assert loaded.with_outputs_of([0, 1, 2]).point == AS_IT_IS


@pytest.mark.parametrize("offsets", [[0.0, 1.0], [0.0, 1.0, float("nan")], [0.0, 99.0, 0.0], "012"])
def test_offsets_of_a_damaged_model_are_refused(tiny_project, offsets):
    model = random_model(tiny_project)
    model.point = Point(offsets)
    found = add_round(tiny_project, model)
    with pytest.raises(ProjectError, match="operating point"):
        TrainedModel.load(found.model_path, CPU)


@pytest.mark.parametrize("offsets", ['{"Head": 1}', '{"1": NaN}', '{"1": 50}', "[0, 1]"])
def test_a_damaged_record_of_it_is_named(tiny_project, offsets, capsys):
    found = add_round(tiny_project, random_model(tiny_project))
    found.operating_point_path.write_text(f'{{"used": true, "offsets": {offsets}}}', encoding="utf-8")
    with pytest.raises(ProjectError, match=r"operating_point\.json"):
        read_operating_point(found)
    for command in ("rounds", "status"):
        assert main([command, str(tiny_project.path)]) == 0, "everything else can be told"
        assert str(found.operating_point_path) in capsys.readouterr().out
    assert read_operating_point(tiny_project.new_round({"labels": {}, "config": {}})) is None


def test_it_is_told_by_the_names_of_the_structures():
    point = OperatingPoint(True, {"1": 0.5, "7": -1.25}, "tested")
    assert point.describe({1: "Head"}) == "Head +0.50, value 7 -1.25 (tested)"
