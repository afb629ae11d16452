"""Structures that are added or renamed later: what the labels of before say, and how a training goes on from them."""

import getpass
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from framework_parts import CPU, EARLY, cohort, fresh_framework
from in_process import trainings_in_this_process
from metassl.__main__ import main
from metassl.choices.frameworks import FRAMEWORK_CATALOG
from metassl.data.augment import Augmentation
from metassl.data.streams import Batch, PatchSampler, PreparedCase
from metassl.evaluation.measure import CaseMeasures, EvaluationItem
from metassl.files.errors import LabelError
from metassl.files.json_files import read_json, write_json
from metassl.frameworks.bcp import paste_labelled
from metassl.frameworks.pasted import Pasted
from metassl.inference.model import TrainedModel
from metassl.inference.predict import predict_project
from metassl.jobs.events import read_events
from metassl.jobs.lock import TrainingLock
from metassl.jobs.start import start_training
from metassl.method.supervised import merge_missing, supervised_loss
from metassl.networks.outputs import NEW_SHARE
from metassl.networks.unet import build_network
from metassl.project import Case, LabelDefinition, Project
from metassl.project.structure_changes import add_structure, rename_structure
from tiny_plan import tiny_plan

BALL, CORE = LabelDefinition(2, "Ball"), LabelDefinition(1, "Core")


def batch_without_class_2(missing: bool = True) -> Batch:
    """One that knows class 1 alone: its background may be class 2."""
    cases = cohort()
    known = [
        PreparedCase(case.id, case.image, np.where(case.label == 2, 0, case.label), (2,) if missing else ())
        for case in cases[:2]
    ]
    others = [case.without_label() for case in cases[2:]]
    return PatchSampler(tiny_plan(batch=(2, 2)), known, others, 0, Augmentation()).batch(0)


# The loss


def test_background_of_a_label_counts_as_background_or_a_missing_structure():
    logits = torch.randn(2, 3, 4, 4, 4)
    missing = torch.tensor([[False, False, True], [False, False, False]]).view(2, 3, 1, 1, 1)
    told = merge_missing(logits, missing).softmax(1)
    expected = logits.softmax(1)
    assert torch.equal(merge_missing(logits, missing)[1], logits[1]), "all is annotated there: to the bit"
    torch.testing.assert_close(told[0, 0], expected[0, 0] + expected[0, 2])
    torch.testing.assert_close(told[0, 1], expected[0, 1])
    assert (told[0, 2] == 0).all()


def test_a_label_teaches_a_missing_structure_neither_to_be_nor_not_to_be():
    logits = torch.zeros(1, 3, 2, 2, 2, requires_grad=True)
    annotation = torch.zeros(1, 2, 2, 2, dtype=torch.long)
    annotation[0, 0] = 1
    missing = torch.tensor([False, False, True]).view(1, 3, 1, 1, 1)
    supervised_loss(merge_missing(logits, missing), annotation).backward()
    assert torch.equal(logits.grad[:, 0], logits.grad[:, 2]) and (logits.grad[0, 1, 0] < 0).all()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(
    ("framework", "loss"), [(each.name, loss) for each in FRAMEWORK_CATALOG for loss in each.losses]
)
def test_no_framework_tells_background_and_a_missing_structure_apart_on_labelled_voxels(framework, loss):
    swapped = [2, 1, 0]

    def parts(batch: Batch, swap: bool) -> list[torch.Tensor]:
        made = fresh_framework(framework, tiny_plan(batch=(2, 2)), loss)
        with torch.no_grad():
            for name, parameter in made.named_parameters():
                if swap and "output_block" in name:
                    parameter.copy_(parameter[swapped])
        torch.manual_seed(3)
        found = made.train().training_loss(batch, EARLY).parts
        return [found[name] for name in ("supervised", "labelled") if name in found] or [found["total"]]

    batch = batch_without_class_2()
    for one, other in zip(parts(batch, False), parts(batch, True), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    naive = replace(batch, missing=None)
    assert not torch.allclose(parts(naive, False)[0], parts(naive, True)[0], rtol=1e-4, atol=1e-5)


def test_pasted_patches_speak_voxel_by_voxel():
    batch = batch_without_class_2()
    logits = torch.randn(2, 3, 16, 16, 16)
    for pasted in (Pasted.of(batch), *Pasted.both_ways(batch)):
        told, labelled = pasted.as_annotated(logits).movedim(1, -1), pasted.from_label
        assert labelled.any() and not labelled.all()
        assert torch.equal(told[~labelled], logits.movedim(1, -1)[~labelled])
        assert (told[labelled].softmax(-1)[:, 2] == 0).all()
    half = replace(batch, missing=batch.missing & torch.tensor([True, False]).view(2, 1, 1, 1, 1))
    pasted = paste_labelled(half)
    assert pasted.missing.shape == (2, 3, 16, 16, 16) and not pasted.missing[:, :2].any()
    assert torch.equal(pasted.missing[0, 2], pasted.labelled[0, 0] == batch.labelled[0, 0])
    assert torch.equal(pasted.missing[1, 2], pasted.labelled[1, 0] == batch.labelled[0, 0])
    assert pasted.missing[:, 2].any((1, 2, 3)).all() and not pasted.missing[:, 2].all()


def test_a_batch_of_whole_labels_is_as_it_always_was():
    assert batch_without_class_2(missing=False).missing is None


# The model


def test_a_model_with_a_new_output_shows_what_it_showed():
    torch.manual_seed(0)
    plan = tiny_plan(classes=2)
    pair = build_network(plan).eval(), build_network(plan).eval()
    model = TrainedModel(pair, plan, torch.full((2, 2, 2), 0.7), [0, 3], "cps", 1, CPU)
    grown = model.with_outputs_of([0, 1, 3])
    image = torch.randn(1, 1, 16, 16, 16)
    for former, network in zip(pair, grown.networks, strict=True):
        before, after = former(image), network(image)
        torch.testing.assert_close(after[:, [0, 2]], before)
        torch.testing.assert_close(after[:, 1].exp(), NEW_SHARE * before[:, 0].exp())
    assert grown.problem() == "" and grown.plan.classes == 3 and model.plan.classes == 2


# The project


@pytest.fixture
def project(tmp_path) -> Project:
    """Five 20³ images of a bright ball with a brighter core: two labelled, one for validation; Ball is known alone."""
    made = Project.create(tmp_path / "project", "Balls", [BALL], ["MR"])
    z, y, x = np.mgrid[:20, :20, :20]
    for index in range(5):
        rng = np.random.default_rng(index)
        centre = rng.uniform(8, 12, 3)
        distance = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2
        values = 2.0 * (distance < 36) + 2.0 * (distance < 9) + rng.normal(0, 0.3, distance.shape)
        path = tmp_path / f"ball{index}.nii.gz"
        sitk.WriteImage(sitk.GetImageFromArray(values.astype(np.float32)), str(path))
        made.add_cases([Case(f"ball{index}", [str(path)], "validation" if index == 4 else "pool")])
        whole = np.where(distance < 9, 1, 2 * (distance < 36)).astype(np.uint8)
        sitk.WriteImage(sitk.GetImageFromArray(whole), str(tmp_path / f"whole{index}.nrrd"))
        if index in (0, 1, 4):
            sitk.WriteImage(sitk.GetImageFromArray(whole * (whole == 2)), str(tmp_path / "label.nrrd"))
            made.add_label(f"ball{index}", tmp_path / "label.nrrd")
    return made


def test_labels_of_before_say_nothing_about_a_new_structure_until_they_are_made_again(project, tmp_path):
    assert add_structure(project, CORE) == ["ball0", "ball1", "ball4"]
    project = Project.open(project.path)
    assert project.values == [0, 1, 2] and project.case("ball0").missing(project.values) == [1]
    project.add_label("ball0", tmp_path / "whole0.nrrd")
    project.add_label("ball2", tmp_path / "whole2.nrrd", annotator="")
    assert [project.case(f"ball{n}").missing(project.values) for n in (0, 1, 2)] == [[], [1], []]


def test_a_label_from_a_project_that_was_opened_before_does_not_speak_about_the_new_structure(project, tmp_path):
    opened_before = Project.open(project.path)
    add_structure(project, CORE)
    opened_before.add_label("ball1", tmp_path / "label.nrrd")
    assert project.case("ball1").missing(project.values) == [1]


def test_who_annotated_and_when_is_kept(project, tmp_path):
    case = project.case("ball0")
    assert case.annotator == getpass.getuser() and case.annotated == case.updated
    project.add_label("ball2", tmp_path / "label.nrrd", annotator="Second reader")
    project.update_case("ball2", split="test")
    case = Project.open(project.path).case("ball2")
    assert case.annotator == "Second reader" and case.annotated <= case.updated


def test_labels_of_a_project_of_an_earlier_version_speak_about_all_that_it_had(project):
    file = project.path / "cases.json"
    content = read_json(file, "the case list")
    for entry in content["cases"]:
        for name in ("coverage", "annotator", "annotated"):
            del entry[name]
    write_json(file, content)
    assert project.case("ball0").missing(project.values) == []
    add_structure(project, CORE)
    assert project.case("ball0").missing(project.values) == [1] and project.case("ball3").coverage is None


def test_a_structure_gets_another_name_and_never_another_value(project, capsys):
    assert rename_structure(project, 2, "Sphere") == "Ball"
    assert Project.open(project.path).labels == [replace(BALL, name="Sphere")] == project.labels
    with pytest.raises(LabelError, match="no structure of the value 7 .it has 2=Sphere"):
        rename_structure(project, 7, "Cube")
    with pytest.raises(LabelError, match="same value: 2"):
        add_structure(project, LabelDefinition(2, "Cube"))
    before = (project.path / "project.json").read_bytes()
    assert main(["structure", str(project.path), "add", "3=Sphere"]) == 2
    assert "same name: Sphere" in capsys.readouterr().err
    assert (project.path / "project.json").read_bytes() == before


def test_the_command_tells_what_labels_of_before_say_and_changes_nothing_while_a_training_runs(project, capsys):
    lock = TrainingLock(project.path)
    lock.acquire("round 0001")
    assert main(["structure", str(project.path), "add", "1=Core"]) == 2
    assert "the project is in use (round 0001)" in capsys.readouterr().err
    lock.release()
    assert Project.open(project.path).labels == [BALL]
    assert main(["structure", str(project.path), "add", "1=Core"]) == 0
    assert "3 labels of before say nothing about it (ball0, ball1, ball4)" in capsys.readouterr().out
    assert main(["structure", str(project.path), "rename", "1=Centre"]) == 0
    assert "1 is Centre now, not Core" in capsys.readouterr().out


def test_a_round_goes_on_from_the_former_weights_with_a_new_output(project, tmp_path, monkeypatch):
    with trainings_in_this_process(monkeypatch):
        first = start_training(project, iterations=4, device="cpu", seed=0)
        add_structure(project, CORE)
        predict_project(project, ["ball3"], "cpu")  # by a model that does not know the structure
        project.add_label("ball0", tmp_path / "whole0.nrrd")
        second = start_training(project, iterations=4, device="cpu", seed=0)
    assert second.record["coverage"] == {"ball1": [2], "ball4": [2]} and second.record["parent"] == first.number
    (told,) = [event for event in read_events(second.events_path) if event.event == "structures"]
    assert told.message == "round 0001 does not know Core: going on from its weights, with a new output"
    model = TrainedModel.load(second.model_path, CPU)
    assert model.values == [0, 1, 2] and TrainedModel.load(first.model_path, CPU).values == [0, 2]
    (validation,) = [event for event in read_events(second.events_path) if event.event == "validation"][-1:]
    assert set(validation.dice["per_class"]) == {"Core", "Ball"} and validation.dice["per_class"]["Core"] is None
    labelled = read_json(second.labelled_path, "the labelled cases")["cases"]
    assert set(labelled["ball0"]["volume_ml"]) == {"Core", "Ball"} and set(labelled["ball1"]["volume_ml"]) == {"Ball"}
    rename_structure(project, 1, "Centre")
    for command in (["status", "--cases"], ["rank"], ["rounds"], ["evaluate"], ["report"]):
        assert main([command[0], str(project.path), *command[1:]]) == 0


def test_a_prediction_of_what_a_label_says_nothing_about_is_no_error(project, tmp_path):
    add_structure(project, CORE)

    class Predicted:
        segmentation, regions, uncertainty = tmp_path / "whole4.nrrd", None, None

    truth = project.accepted_label("ball4")
    silent = CaseMeasures(EvaluationItem("ball4", Predicted, truth, own=True, missing=(1,)), project.labels)
    judged = CaseMeasures(EvaluationItem("ball4", Predicted, truth, own=True), project.labels)
    assert (silent.wrong, silent.invented, silent.dice) == (0, [], 1.0)
    assert judged.wrong > 0 and judged.invented == ["Core"]
