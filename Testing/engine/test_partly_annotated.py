"""A case of which a part is annotated: it teaches what it holds, and is predicted and asked about until it is done."""

from __future__ import annotations

import json

import numpy as np
import pytest
from metassl.cli import main
from metassl.data.augment import Augmentation
from metassl.data.streams import PatchSampler, PreparedCase
from metassl.files import read_json
from metassl.files.errors import MetaSSLError, ProjectError
from metassl.imaging import IGNORE, read_labels, read_volume
from metassl.inference.features import write_labelled_cases
from metassl.inference.model import TrainedModel
from metassl.inference.predict import predict_project
from metassl.jobs.start import round_record
from metassl.project.round_choice import waiting_cases
from metassl.project.round_files import read_labelled_cases, read_summary
from metassl.selection.rank import ranking_by
from random_model import random_model


def annotate_slices(project, case_id: str, *slices: int) -> np.ndarray:
    """Make the case's true label (from case_0, which has one like it) its annotation in these slices alone."""
    label, geometry = project.read_label("case_0")
    part = np.full_like(label, IGNORE)
    part[list(slices)] = label[list(slices)]
    project.add_label(case_id, (part, geometry))
    return part


@pytest.fixture
def model(tiny_project) -> TrainedModel:
    return random_model(tiny_project)


def new_round(project, model):
    labels = {case.id: case.label_version for case in project.labelled_cases()}
    found = project.new_round({"config": {}, "labels": labels, "versions": {}})
    model.save(found.model_path)
    return found


def test_it_stays_among_the_unlabelled_until_it_is_done(tiny_project):
    annotate_slices(tiny_project, "case_3", 4, 5)
    case = tiny_project.case("case_3")
    assert case.is_labelled and case.is_partial and not case.is_done
    assert "case_3" in [each.id for each in tiny_project.labelled_cases()]
    assert "case_3" in [each.id for each in tiny_project.unlabelled_cases()]
    assert tiny_project.set_done(["case_3"]) == ["case_3"] and tiny_project.set_done(["case_3"]) == []
    assert tiny_project.case("case_3").is_done
    assert "case_3" not in [each.id for each in tiny_project.unlabelled_cases()]
    assert tiny_project.set_done(["case_3"], undo=True) == ["case_3"]
    tiny_project.set_done(["case_3"])
    annotate_slices(tiny_project, "case_3", 4, 5, 6)
    assert tiny_project.case("case_3").is_partial, "a new annotation is looked at anew"
    with pytest.raises(ProjectError, match="case_4 has no annotation yet"):
        tiny_project.set_done(["case_4"])
    assert tiny_project.set_done(["case_0"]) == [], "a whole one is done anyway"


def test_its_prediction_keeps_what_is_known(tiny_project, model):
    known = annotate_slices(tiny_project, "case_3", 4, 5)
    found = new_round(tiny_project, model)
    predict_project(tiny_project, device="cpu")
    paths = found.prediction("case_3")
    segmentation, _ = read_labels(paths.segmentation, "case_3")
    regions, _ = read_labels(paths.regions, "case_3")
    (uncertainty,), _ = read_volume(paths.uncertainty, "case_3")
    assert (segmentation[4:6] == known[4:6]).all() and (regions[4:6] == 1).all() and not uncertainty[4:6].any()
    assert (regions[6:] > 1).any() and uncertainty[6:].max() > 0, "elsewhere the networks say what they say"
    summary = read_summary(paths.summary, "case_3")
    counts = np.bincount(regions.ravel(), minlength=5)
    assert [summary.voxels[key] for key in ("UC", "US", "DC", "DS")] == counts[1:].tolist()
    least = {"Front": 1, "Back": 2}
    assert all(summary.classes[name]["voxels"] >= (known == value).sum() for name, value in least.items())


def test_background_of_before_a_structure_existed_is_not_kept_as_truth(tiny_project, model):
    known = annotate_slices(tiny_project, "case_3", 4, 5)
    tiny_project.update_case("case_3", coverage=[1])
    found = new_round(tiny_project, model)
    predict_project(tiny_project, ["case_3"], device="cpu")
    regions, _ = read_labels(found.prediction("case_3").regions, "case_3")
    assert (regions[known == 1] == 1).all() and (regions[known == 0] > 1).any()


def test_it_is_ranked_once_a_round_has_learnt_from_it_and_not_before(tiny_project, model):
    before = new_round(tiny_project, model)
    predict_project(tiny_project, device="cpu")
    annotate_slices(tiny_project, "case_3", 4, 5)
    assert waiting_cases(tiny_project, before) == ["case_4", "case_5"]
    assert {entry.case for entry in ranking_by(tiny_project, before, "entropy").cases} == {"case_4", "case_5"}
    after = new_round(tiny_project, model)
    predict_project(tiny_project, device="cpu")
    assert {entry.case for entry in ranking_by(tiny_project, after, "entropy").cases} == {"case_3", "case_4", "case_5"}
    tiny_project.set_done(["case_3"])
    assert waiting_cases(tiny_project, after) == ["case_4", "case_5"]


def test_its_annotated_part_is_not_taken_for_the_volume(tiny_project, model):
    annotate_slices(tiny_project, "case_3", 4, 5)
    found = new_round(tiny_project, model)
    image = np.zeros((1, 16, 16, 16), np.float32)
    write_labelled_cases(tiny_project, found, model, [PreparedCase("case_0", image), PreparedCase("case_3", image)])
    volumes = {case: entry["volume_ml"] for case, entry in read_labelled_cases(found).items()}
    assert volumes["case_0"]["Front"] > 0 and volumes["case_3"] == {}


def test_the_record_of_a_round_names_it(tiny_project):
    record = round_record({}, None, labels={}, validation={}, unlabelled=[], partial=["case_3"], versions={})
    assert record["partial"] == ["case_3"]
    assert "partial" not in round_record({}, None, labels={}, validation={}, unlabelled=[], versions={})


STILL = Augmentation(rotation=0, scale=(1, 1), shift=0, elastic_voxels=0)


def cases(shares: dict[str, float], shape=(40, 16, 16)) -> list[PreparedCase]:
    """Each annotated in the last slices, so many that they are this share of it."""
    made = []
    for name, share in shares.items():
        label = np.full(shape, IGNORE, np.uint8)
        label[shape[0] - round(share * shape[0]) :] = 0
        label[-1, 4:12, 4:12] = 1
        made.append(PreparedCase(name, np.zeros((1, *shape), np.float32), label, is_partial=share < 1))
    return made


def test_cases_are_drawn_by_what_they_hold(tiny_plan):
    sampler = PatchSampler(tiny_plan(batch=(4, 1)), cases({"whole": 1, "half": 0.5, "little": 0.1}), [], 0, STILL)
    drawn = [case for step in range(400) for case in sampler.batch(step).labelled_cases]
    shares = {name: drawn.count(name) / len(drawn) for name in ("whole", "half", "little")}
    assert shares == pytest.approx({"whole": 1 / 1.6, "half": 0.5 / 1.6, "little": 0.1 / 1.6}, abs=0.03)


def test_every_patch_of_it_shows_what_is_annotated(tiny_plan):
    sampler = PatchSampler(tiny_plan(), cases({"little": 0.05}), [], 0, STILL)
    assert all((sampler.batch(step).annotation != IGNORE).any() for step in range(60))


def test_whole_cases_are_drawn_as_they_always_were(tiny_plan):
    whole = cases({"a": 1, "b": 1})
    first, second = (PatchSampler(tiny_plan(), whole, [], 0, STILL).batch(3) for _ in range(2))
    rng = np.random.default_rng([0, 3])
    assert first.labelled_cases == second.labelled_cases == [["a", "b"][int(rng.integers(2))]]


def test_a_part_that_is_too_thin_for_the_grid_is_told(tiny_plan):
    label = np.full((16, 16, 16), IGNORE, np.uint8)
    lost = PreparedCase("lost", np.zeros((1, 16, 16, 16), np.float32), label, is_partial=True)
    with pytest.raises(MetaSSLError, match="annotate thicker parts"):
        PatchSampler(tiny_plan(), [lost], [], 0, STILL)


def test_the_command_says_that_it_is_done_and_takes_it_back(tiny_project, capsys):
    annotate_slices(tiny_project, "case_3", 4, 5)
    path = str(tiny_project.path)
    assert main(["label", path, "case_3", "--done", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["partial"] is False
    assert tiny_project.case("case_3").done
    assert main(["label", path, "case_3", "--not-done"]) == 0
    assert "asked about again" in capsys.readouterr().out
    assert main(["status", path, "--cases"]) == 0
    shown = capsys.readouterr().out
    assert "1 of them partly" in shown and "labelled, partly" in shown


def test_a_project_of_before_knows_no_gaps_and_changes_nothing(tiny_project):
    annotate_slices(tiny_project, "case_3", 4, 5)
    document = read_json(tiny_project.path / "cases.json", "the cases")
    for entry in document["cases"] if isinstance(document["cases"], list) else document["cases"].values():
        entry["label_voxels"] = {}
        entry.pop("done", None)
    (tiny_project.path / "cases.json").write_text(json.dumps(document), encoding="utf-8")
    assert tiny_project.case("case_3").is_done
