"""The losses that `--loss` offers: what they compute, and who refuses them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from framework_parts import LATE, fresh_framework, gradients, sampler
from metassl.choices.frameworks import LOSSES, check_choice, describe_framework, script_of
from metassl.cli import main
from metassl.data.streams import Batch
from metassl.files import ProjectError
from metassl.frameworks import FRAMEWORKS, cct
from metassl.frameworks.pasting import PastingFramework
from metassl.method.presets import METASSL, PRESETS, official_preset
from metassl.method.weights import RegionWeights
from numpy.testing import assert_allclose

BUNDLED = Path(__file__).parents[1] / "data" / "parity"
FILES = sorted(Path(os.environ.get("METASSL_PARITY_VECTORS") or BUNDLED).glob("*__*.npz"))
META = json.loads((BUNDLED / "meta.json").read_text(encoding="utf-8"))
TOLERANCE = {"loss": 5e-6, "gradient": 2e-6, "thresholds": 1e-6}
FLAT = {"patch_zyx": (1, 16, 16), "kernels": ((1, 3, 3),) * 3, "strides": ((1, 1, 1), (1, 2, 2), (1, 2, 2))}
OFFICIAL = [name for name in FRAMEWORKS if describe_framework(name).script]


class Answers(torch.nn.Module):
    """A network that says what it was told to of the images that it is shown."""

    logits: torch.Tensor

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert len(images) == len(self.logits)
        return self.logits


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_official_trains_with_what_the_published_script_computes(path, tiny_plan, monkeypatch):
    """The framework that `metassl train` builds, whose networks answer with the logits of the vectors."""
    vectors, config = dict(np.load(path)), path.stem.split("__")[0]
    script, dimensions = config[: config.index("D_") - 1].lower(), int(config[config.index("D_") - 1])
    as_published = dimensions == 2 and config.endswith("official")
    plan = tiny_plan(classes=META[config]["classes"], **(FLAT if dimensions == 2 else {}))
    framework = fresh_framework(script, plan, "official-as-published" if as_published else "official")
    preset = framework.objective.preset
    answers = replace_networks(framework, monkeypatch)
    for step, iteration in enumerate(vectors["iter"]):
        for n, network in enumerate(answers, 1):
            network.logits = in_three_dimensions(vectors[f"logits{n}"][step], dimensions).float().requires_grad_()
        annotation = in_three_dimensions(vectors["label"][step], dimensions)
        images = torch.zeros(len(annotation), 1, *annotation.shape[1:])
        batch = Batch(images, annotation, images.clone(), [], [])
        output = framework.training_loss(batch, int(iteration) / preset.iterations)
        output.total.backward()
        expected = dict(zip(META["losses"], vectors["losses"][step], strict=True))["loss"]
        assert_allclose(output.total.item(), expected, rtol=TOLERANCE["loss"])
        thresholds = framework.objective.thresholds.state
        assert_allclose(thresholds, vectors["thr"][step], rtol=0, atol=TOLERANCE["thresholds"])
        for n, network in enumerate(answers, 1):
            if f"grad{n}" not in vectors:
                assert script == "mt" and network.logits.grad is None
                continue
            gradient = in_three_dimensions(vectors[f"grad{n}"][step], dimensions)
            error = (network.logits.grad - gradient).abs() / gradient.abs().clamp(min=1.0)
            assert error.max() <= TOLERANCE["gradient"]


def replace_networks(framework, monkeypatch) -> list[Answers]:
    """Those of its two predictions, in their order."""
    answers = [Answers(), Answers()]
    framework.networks[0] = answers[0]
    (framework.averages if framework.name == "mt" else framework.networks)[-1] = answers[1]
    if framework.name == "cct":
        monkeypatch.setattr(cct, "encode", lambda network, images: [images])
        monkeypatch.setattr(cct, "draw_perturbation", lambda: lambda features: features)
        monkeypatch.setattr(cct, "decode", lambda network, features: network(features[0]))
    return answers


def in_three_dimensions(array: np.ndarray, dimensions: int) -> torch.Tensor:
    """(..., y, x) as (..., 1, y, x); volumes as they are."""
    return torch.from_numpy(array if dimensions == 3 else array[..., None, :, :])


@pytest.mark.parametrize(
    ("name", "three", "two"),
    [
        ("cps", "official_cps_3d", "official_cps_2d"),
        ("rdrop", "official_cps_3d", "official_cps_2d"),
        ("cct", "official_cct_2d", "official_cct_2d"),
        *((name, "official_mt_3d", "official_mt_2d") for name in ("mt", "uamt", "fixmatch", "bcp")),
    ],
)
def test_official_is_the_published_preset_of_the_framework_or_of_the_one_that_stands_in(name, three, two, tiny_plan):
    for plan, preset in ((tiny_plan(), three), (tiny_plan(**FLAT), two)):
        published = f"{preset}_published" if preset.endswith("2d") else preset
        for loss, expected in (("official", preset), ("official-as-published", published)):
            assert fresh_framework(name, plan, loss).objective.preset == PRESETS[expected]
    assert script_of(name).endswith("stands in") == (name not in ("mt", "cps", "cct"))


def test_uniform_is_metassl_with_all_weights_one_and_nothing_else():
    uniform = PRESETS["uniform"]
    assert uniform.with_options(name="metassl", weights=METASSL.weights) == METASSL
    assert uniform.weights.labelled == uniform.weights.unlabelled == RegionWeights(1, 1, 1, 1)


@pytest.mark.parametrize("name", OFFICIAL)
def test_with_the_official_losses_unlabelled_voxels_count_ever_more_as_the_published_ramp_says(name, tiny_plan):
    framework = fresh_framework(name, tiny_plan(), "official")
    objective, seen = framework.objective, []
    objective.register_forward_hook(lambda _, given, output: seen.append(output.consistency))
    for fraction in (0.7, 0.9, 1.0):  # after the warm-up of BCP
        framework.training_loss(sampler(framework.plan).batch(0), fraction)
    assert seen == [pytest.approx(0.1)] * 3
    share = objective.preset.ramp_length / objective.preset.iterations
    assert share == (0.3 if objective.preset.name == "official_cps_2d" else 0.6)
    assert objective.consistency_at(0) == pytest.approx(0.1 * np.exp(-5))


@pytest.mark.parametrize("name", [n for n in OFFICIAL if not issubclass(FRAMEWORKS[n], PastingFramework)])
def test_today_s_metassl_has_the_ramp_that_it_had(name, tiny_plan):
    framework = fresh_framework(name, tiny_plan())
    seen = []
    framework.objective.register_forward_hook(lambda _, given, output: seen.append(output.consistency))
    fractions = (0.0, 0.1, 0.25, 0.4, 0.9)
    for fraction in fractions:
        framework.training_loss(sampler(framework.plan).batch(0), fraction)
    assert seen == pytest.approx([0.5 * np.exp(-5 * (1 - min(f / 0.4, 1)) ** 2) for f in fractions], rel=1e-3)


def test_official_cps_learns_from_whole_patches_and_from_the_first_step(tiny_plan):
    framework, seen = fresh_framework("cps", tiny_plan(), "official"), []
    batch = sampler(framework.plan).batch(0)
    for network in framework.networks:
        network.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    framework.planned_steps = 100
    assert framework.cost(0.0) == framework.cost_to_come(0.0) == 1.0
    framework.training_loss(batch, 0.0)
    assert len(seen) == 2
    assert all(torch.equal(each, torch.cat([batch.labelled, batch.unlabelled])) for each in seen)


def test_official_bcp_puts_the_student_s_prediction_of_the_pasted_patches_together(tiny_plan):
    framework = fresh_framework("bcp", tiny_plan(), "official")
    batch, seen = sampler(framework.plan).batch(0), []
    framework.networks[0] = torch.nn.Conv3d(1, 3, 1)  # sees a voxel alone: pasting cannot change what it says of it
    framework.objective.register_forward_hook(lambda _, given, output: seen.append(given))
    framework.training_loss(batch, LATE)
    images = torch.cat([batch.labelled, batch.unlabelled])
    torch.testing.assert_close(seen[0][0], framework.networks[0](images))
    torch.testing.assert_close(seen[0][1], framework.averages[0](images))


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_cares_for_unlabelled_voxels_and_for_the_annotation(name, tiny_plan):
    framework = fresh_framework(name, tiny_plan(), "official")
    batch = sampler(framework.plan).batch(0)
    before = gradients(fresh_framework(name, tiny_plan(), "official"), batch, LATE)
    for part in ("unlabelled", "annotation"):
        changed = sampler(framework.plan).batch(0)
        setattr(changed, part, getattr(batch, part).flip(-1))
        after = gradients(fresh_framework(name, tiny_plan(), "official"), changed, LATE)
        assert any(not torch.equal(before[each], after[each]) for each in before), part


@pytest.mark.parametrize("loss", ["uniform", "official", "official-as-published"])
def test_a_framework_says_which_losses_mean_nothing_to_it(loss, tiny_plan, tiny_project, capsys):
    with pytest.raises(ProjectError, match="no second prediction"):
        fresh_framework("supervised", tiny_plan(), loss)
    assert main(["train", str(tiny_project.path), "--framework", "supervised", "--loss", loss]) == 2
    said = capsys.readouterr().err
    assert f"supervised has no loss '{loss}'" in said and "choose metassl or plain" in said
    assert tiny_project.rounds() == []


def test_what_is_not_in_the_catalogues_is_refused_by_its_name():
    for name, loss, said in (("unet", "plain", "no framework 'unet'"), ("mt", "focal", "no loss 'focal'")):
        with pytest.raises(ProjectError, match=said):
            check_choice(name, loss)
    for name in FRAMEWORKS:
        assert set(describe_framework(name).losses) <= set(LOSSES)
        assert ("official" in describe_framework(name).losses) == bool(describe_framework(name).script)


def test_the_preset_of_a_script_that_there_is_not_in_three_dimensions_is_the_flat_one():
    assert official_preset("cct", 3).name == "official_cct_2d"
    assert official_preset("cct", 3, as_published=True).name == "official_cct_2d_published"
    assert official_preset("mt", 3, as_published=True) == official_preset("mt", 3)
