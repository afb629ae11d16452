"""Parity with the published training scripts, on the vectors of a folder.

The folder is Testing/data/parity, or the one named by METASSL_PARITY_VECTORS. Its README describes
the arrays. Every CONFIG__CASE.npz found there is two consecutive training steps.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from metassl.method.metassl_loss import MetaSSLLoss, consistency_ramp
from metassl.method.output import LossOutput
from metassl.method.prediction import predict
from metassl.method.presets import PRESETS
from metassl.method.regions import Region, partition_against_annotation
from metassl.method.supervised import dice_loss, supervised_loss
from numpy.testing import assert_allclose

BUNDLED = Path(__file__).resolve().parents[1] / "data" / "parity"
FOLDER = Path(os.environ.get("METASSL_PARITY_VECTORS") or BUNDLED)


def shared_file(name: str) -> Path:
    """A file that all configurations share; the bundled one if FOLDER has none."""
    return FOLDER / name if (FOLDER / name).exists() else BUNDLED / name


META = json.loads(shared_file("meta.json").read_text(encoding="utf-8"))
STEP_FILES = sorted(FOLDER.glob("*__*.npz"))

PRESET_OF = {
    "MT2D_official": "official_mt_2d_published",
    "CPS2D_official": "official_cps_2d_published",
    "CCT2D_official": "official_cct_2d_published",
    "MT2D_fgfix": "official_mt_2d",
    "CPS2D_fgfix": "official_cps_2d",
    "CCT2D_fgfix": "official_cct_2d",
    "MT3D_official": "official_mt_3d",
    "CPS3D_official": "official_cps_3d",
}
THRESHOLD_TOLERANCE = 1e-6
LOSS_TOLERANCE = 5e-6
GRADIENT_TOLERANCE = 2e-6


def run_steps(path: Path) -> SimpleNamespace:
    """Run the two steps of one file, the thresholds carried over."""
    config = path.stem.split("__")[0]
    vectors = dict(np.load(path))
    is_2d, classes = "2D" in config, META[config]["classes"]
    loss = MetaSSLLoss(classes, PRESET_OF[config])
    run = SimpleNamespace(
        name=path.stem,
        config=config,
        vectors=vectors,
        published_bug=is_2d and config.endswith("_official"),
        mask_copies=1 if is_2d else 2,
        preset=loss.preset,
        steps=[],
    )
    for step, iteration in enumerate(vectors["iter"]):
        logits = [torch.from_numpy(vectors[key][step]).float().requires_grad_() for key in ("logits1", "logits2")]
        annotation = torch.from_numpy(vectors["label"][step])
        output = loss(*logits, annotation, len(annotation), int(iteration))
        output.total.backward()
        thresholds = loss.thresholds.state.clone().numpy()
        run.steps.append(SimpleNamespace(logits=logits, output=output, thresholds=thresholds))
    return run


@pytest.fixture(scope="module", params=STEP_FILES, ids=lambda path: path.stem)
def run(request) -> SimpleNamespace:
    return run_steps(request.param)


def test_there_are_vectors_and_all_are_of_a_known_configuration():
    configs = {path.stem.split("__")[0] for path in STEP_FILES}
    assert configs, f"no vectors in {FOLDER}"
    assert configs <= set(PRESET_OF)


def directions(output: LossOutput):
    """(half, network, direction loss) of all four partitions; suffixes are the reference's."""
    for n in (1, 2):
        yield 0, n, output.labelled[n]
        yield 1, n, output.unlabelled[3 - n, n]


def region_masks(regions: torch.Tensor, labels: torch.Tensor, published_bug: bool) -> np.ndarray:
    """The five masks in the vectors' order: DC, DS, UCs, US, UCb."""
    unanimous = regions == Region.UC
    background = unanimous & (labels == 0)
    masks = {
        "DC": regions == Region.DC,
        "DS": regions == Region.DS,
        "UCs": background if published_bug else unanimous & (labels != 0),
        "US": regions == Region.US,
        "UCb": background,
    }
    return torch.stack([masks[name] for name in META["regions"]]).numpy()


def test_every_region_mask_is_equal(run):
    for step, now in enumerate(run.steps):
        for half, n, direction in directions(now.output):
            number = len(direction.regions)
            logits = now.logits[n - 1]
            labels = predict(logits[:number] if half == 0 else logits[-number:]).labels
            masks = region_masks(direction.regions, labels, run.published_bug)
            np.testing.assert_array_equal(masks, run.vectors["masks"][step, half, n - 1] == 1)


def test_every_region_size_is_equal(run):
    for step, now in enumerate(run.steps):
        for half, n, direction in directions(now.output):
            sizes = dict(zip(("UCs", "US", "DC", "DS", "UCb"), direction.counts[1:], strict=True))
            if run.published_bug:
                sizes["UCs"] = sizes["UCb"]
            ours = [int(sizes[name]) * run.mask_copies for name in META["regions"]]
            assert ours == run.vectors["counts"][step, half, n - 1].tolist()


def test_the_thresholds_are_equal(run):
    for step, now in enumerate(run.steps):
        for key in ("thr", "thr_f64"):
            expected = run.vectors[key][step]
            assert_allclose(now.thresholds, expected, rtol=0, atol=THRESHOLD_TOLERANCE)


def test_the_weights_and_the_ramp_are_equal(run):
    for step, now in enumerate(run.steps):
        ours = [
            getattr(getattr(run.preset.weights, half), region)
            for half in ("unlabelled", "labelled")
            for region in ("uc", "us", "dc", "ds")
        ]
        assert_allclose(ours, run.vectors["weights"][step], rtol=1e-9)
        assert_allclose(now.output.consistency, run.vectors["consistency_weight"][step], rtol=1e-9)


def official_losses(output: LossOutput, config: str) -> dict[str, float]:
    """All losses under the names of the scripts.

    The suffix of an unlabelled term is its reference. `loss_same` joins UC and US, `loss_diff` DC
    and DS. In the 3-D Mean Teacher their suffix 1 is the labelled half and 2 the unlabelled one;
    elsewhere both halves of a suffix are added up.
    """
    ours = {name: float(value) for name, value in output.partials().items()}
    named = {}
    same, different = {}, {}
    for n in (1, 2):
        labelled = {r: ours[f"labelled/{n}/{r}"] for r in TERMS}
        unlabelled = {r: ours[f"unlabelled/{3 - n}<-{n}/{r}"] for r in TERMS}
        named[f"loss{n}"] = ours[f"supervised/{n}"]
        named[f"loss_dif{n}"] = unlabelled["DC"]
        named[f"same_confident_loss{n}"] = unlabelled["UC_foreground"]
        named[f"pseudo_supervision_co{n}"] = unlabelled["US"]
        named[f"pseudo_supervision_no{n}"] = unlabelled["DS"]
        named[f"pseudo_supervision_back{n}"] = unlabelled["UC_background"]
        named[f"loss{n}_po_same"] = labelled["UC_foreground"]
        named[f"loss{n}_po_different"] = labelled["DC"]
        named[f"loss{n}_po_back{n}"] = labelled["UC_background"]
        named[f"loss{n}_po_noconfident{n}"] = labelled["US"]
        named[f"loss{n}_po_nodifferent{n}"] = labelled["DS"]
        for half, terms in (("labelled", labelled), ("unlabelled", unlabelled)):
            same[half, n] = terms["UC_foreground"] + terms["UC_background"] + terms["US"]
            different[half, n] = terms["DC"] + terms["DS"]
    supervised = {n: ours[f"supervised/{n}"] for n in (1, 2)}
    if config == "MT3D_official":
        sources = {1: [("labelled", 1)], 2: [("unlabelled", 2)]}
        named["supervised_loss"] = supervised[1]
        supervised[2] = 0.0
    else:
        sources = {n: [("labelled", n), ("unlabelled", n)] for n in (1, 2)}
    for n, keys in sources.items():
        named[f"loss_same{n}"] = sum(same[key] for key in keys)
        named[f"loss_diff{n}"] = sum(different[key] for key in keys)
        regions = named[f"loss_same{n}"] + named[f"loss_diff{n}"]
        named[f"model{n}_loss"] = supervised[n] + output.consistency * regions
    return named | {"loss": float(output.total.detach())}


TERMS = ("UC_foreground", "US", "DC", "DS", "UC_background")


def test_every_partial_loss_and_the_total_are_equal(run):
    for step, now in enumerate(run.steps):
        ours = official_losses(now.output, run.config)
        for key in ("losses", "losses_f64"):
            expected = dict(zip(META["losses"], run.vectors[key][step], strict=True))
            expected = {name: value for name, value in expected.items() if not np.isnan(value)}
            assert set(ours) == set(expected)
            for name, value in expected.items():
                error = abs(ours[name] - value) / max(1.0, abs(value))
                assert error <= LOSS_TOLERANCE, f"{name} is {ours[name]}, expected {value} ({key})"


def test_the_gradients_are_equal(run):
    for step, now in enumerate(run.steps):
        for logits, key in zip(now.logits, ("grad1", "grad2"), strict=True):
            if key not in run.vectors:
                assert run.preset.framework == "mt" and logits.grad is None
                continue
            expected = run.vectors[key][step]
            error = np.abs(logits.grad.numpy() - expected) / np.maximum(1.0, np.abs(expected))
            assert error.max() <= GRADIENT_TOLERANCE


def test_the_partition_against_the_annotation_is_equal():
    vectors = np.load(shared_file("labelled_vs_annotation_2D.npz"))
    annotation = torch.from_numpy(vectors["label"])
    for n in (1, 2):
        labels, confidence = predict(torch.from_numpy(vectors[f"logits{n}"]))
        thresholds = torch.from_numpy(vectors[f"thr{n}"])
        regions = partition_against_annotation(labels, confidence, annotation, thresholds)
        for region in ("UC", "US", "DC", "DS"):
            expected = vectors[f"mask_{region}{n}"]
            np.testing.assert_array_equal((regions == Region[region]).numpy(), expected)


def test_the_ramp_is_equal():
    vectors = np.load(shared_file("aux_ramp_dice.npz"))
    ours = [consistency_ramp(int(iteration)) for iteration in vectors["iters"]]
    assert_allclose(ours, vectors["consistency_weight"], rtol=1e-12)


def test_the_dice_loss_and_its_gradient_are_equal():
    vectors = np.load(shared_file("aux_ramp_dice.npz"))
    logits = torch.from_numpy(vectors["dice_logits"]).requires_grad_()
    target = torch.from_numpy(vectors["dice_label"]).long()
    loss = dice_loss(logits.softmax(1), target, torch.ones_like(target, dtype=torch.bool))
    loss.backward()
    assert_allclose(loss.item(), vectors["dice_loss"], rtol=LOSS_TOLERANCE)
    assert_allclose(logits.grad.numpy(), vectors["dice_grad"], rtol=0, atol=GRADIENT_TOLERANCE)


FGFIX_FILES = [path for path in STEP_FILES if "_fgfix__" in path.stem]


def masked_objective(path: Path, step: int, logits: list[torch.Tensor]) -> torch.Tensor:
    """J of METHOD.md in float64 from the vectors' own masks, with UCf replaced by UCb."""
    vectors = np.load(path)
    weights = dict(zip(META["weights"], vectors["weights"][step], strict=True))
    target = torch.from_numpy(vectors["label"][step]).long()
    total = torch.zeros((), dtype=torch.float64)
    for half in (0, 1):
        for n in (0, 1):
            supervised = logits[n] if half == 0 else logits[1 - n]
            part = supervised.chunk(2)[half]
            reference = logits[n].chunk(2)[half].argmax(1)
            ce = -part.log_softmax(1).gather(1, (reference if half else target)[:, None])[:, 0]
            masks = dict(zip(META["regions"], vectors["masks"][step, half, n], strict=True))
            for region, mask in (masks | {"UCs": masks["UCb"]}).items():
                name = f"{'lu'[half]}_{region[:2]}"
                total = total + weights[name] * (ce * torch.from_numpy(mask)).sum() / (int(mask.sum()) + 1)
    return total * vectors["consistency_weight"][step]


@pytest.mark.parametrize("path", FGFIX_FILES, ids=lambda path: path.stem)
def test_the_published_foreground_slip_counts_background_twice(path):
    config = path.stem.split("__")[0].replace("fgfix", "official")
    vectors = np.load(path)
    loss = MetaSSLLoss(META[config]["classes"], PRESET_OF[config])
    for step, iteration in enumerate(vectors["iter"]):
        mine, theirs = (
            [torch.from_numpy(vectors[f"logits{n}"][step]).to(kind).requires_grad_() for n in (1, 2)]
            for kind in (torch.float32, torch.float64)
        )
        if loss.preset.framework == "mt":
            theirs[1] = theirs[1].detach()
        annotation = torch.from_numpy(vectors["label"][step])
        output = loss(*mine, annotation, len(annotation), int(iteration))
        output.total.backward()
        expected = masked_objective(path, step, theirs)
        expected.backward()
        partials = {name: float(value) for name, value in output.partials().items()}
        regions = sum(v for name, v in partials.items() if not name.startswith("supervised"))
        assert_allclose(output.consistency * regions, expected.item(), rtol=LOSS_TOLERANCE)
        for name, value in partials.items():
            if name.endswith("UC_foreground"):
                assert value == partials[name.replace("foreground", "background")]
        for a, b in zip(mine, theirs, strict=True):
            if b.grad is None:
                assert a.grad is None
                continue
            supervised = supervised_gradient(a, annotation)
            error = np.abs((a.grad - supervised).numpy() - b.grad.numpy())
            assert (error / b.grad.abs().clamp(min=1.0).numpy()).max() <= GRADIENT_TOLERANCE


def supervised_gradient(logits: torch.Tensor, annotation: torch.Tensor) -> torch.Tensor:
    free = logits.detach().clone().requires_grad_()
    supervised_loss(free[: len(annotation)], annotation).backward()
    return free.grad


def test_every_official_preset_has_a_configuration():
    assert set(PRESET_OF.values()) == {name for name in PRESETS if name.startswith("official_")}
