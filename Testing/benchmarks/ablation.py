"""What makes the default recipe: one choice changed at a time, equal time for all, never on the test split.

    python Testing/benchmarks/ablation.py --data Task04_Hippocampus --minutes 2 --out ablation.json

Three cases are labelled (--labelled). Measured are the validation cases and the last 27 of the training order, whose
labels no variant sees and whose images none trains on. docs/ABLATION.md holds the table. Variants that are in the file
already are not trained again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from metassl.data.augment import Augmentation
from metassl.data.fingerprint import fingerprint
from metassl.data.plan import Plan, make_plan
from metassl.data.preprocess import labels_to_grid, to_grid
from metassl.data.streams import Batch, PatchSampler, PreparedCase
from metassl.evaluation.metrics import dice
from metassl.evaluation.region_errors import RegionErrors, foreground_band
from metassl.evaluation.uncertainty import UncertaintyScore
from metassl.frameworks import FRAMEWORKS, pasted
from metassl.frameworks.base import Framework, StepOutput
from metassl.frameworks.cps import CrossPseudoSupervision
from metassl.frameworks.pasted import Pasted
from metassl.imaging.images import read_image, read_labels
from metassl.inference.calibration import calibrate_thresholds
from metassl.inference.region_map import region_map
from metassl.inference.sliding_window import predict_pair
from metassl.method import presets
from metassl.method.presets import get_preset
from metassl.method.weights import HalfWeights, RegionWeights, rule_b
from metassl.project.masks import ERROR_BAND_VOXELS
from metassl.training import loop
from metassl.training.eta import CLOCKS, Budget, clock
from metassl.training.loop import Trainer

CPU = torch.device("cpu")
MEASURED_OF_TRAINING = 27


class OneNetwork(CrossPseudoSupervision):
    """The default recipe with a single network, taught by its own moving average."""

    def __init__(self, plan: Plan, loss: str):
        super(CrossPseudoSupervision, self).__init__(plan, loss, networks=1)

    def training_loss(self, batch: Batch, fraction: float) -> StepOutput:
        trained = self.since_warm_up(fraction)
        if trained < 0:
            return self.supervised_step(batch)
        with torch.no_grad():
            reference = self.softmax(self.averages[0], batch.unlabelled)
        taught, regions = self.weighting.unlabelled([reference, reference])
        patches = Pasted.of(batch)
        log_softmax = self.log_softmax(self.networks[0], patches.images)
        strength = pasted.unlabelled_strength(trained)
        total = self.pasted_loss(0, patches, log_softmax, batch.annotation, *taught[0], strength)
        return StepOutput(total, {"total": total.detach()}, regions)

    def inference_pair(self):
        return self.averages[0], self.averages[0]


@dataclass(frozen=True)
class Variant:
    """framework builds the framework; the rest is what differs from the default."""

    framework: Callable[[Plan, str], Framework] = CrossPseudoSupervision
    loss: str = "metassl"
    all_labels: bool = False
    augmentation: dict[str, Any] = field(default_factory=dict)
    patch_share: float = 1.0
    full_resolution: bool = False
    constants: dict[tuple[Any, str], Any] = field(default_factory=dict)
    weights: HalfWeights | None = None


STRONG = {"rotation": 0.4, "scale": (0.75, 1.35), "elastic_voxels": 1.5, "contrast": (0.65, 1.5), "gamma": 0.6}
WEAK = {"rotation": 0.15, "scale": (0.9, 1.12), "elastic_voxels": 0.5, "contrast": (0.85, 1.18), "gamma": 0.2}
GENTLE = get_preset("metassl").weights
ALIKE = RegionWeights(1.0, 1.0, 1.0, 1.0)
PUBLISHED = rule_b(1.0, 1.0, 0.6, 0.3, 3.0)
UNLABELLED_ALIKE = HalfWeights(unlabelled=ALIKE, labelled=GENTLE.labelled)
LABELLED_ALIKE = HalfWeights(unlabelled=GENTLE.unlabelled, labelled=ALIKE)
VARIANTS = {
    "default": Variant(),
    "default, plain loss": Variant(loss="plain"),
    "supervised, the few labels": Variant(FRAMEWORKS["supervised"], "plain"),
    "supervised, all labels": Variant(FRAMEWORKS["supervised"], "plain", all_labels=True),
    "one network": Variant(OneNetwork),
    "one network, plain loss": Variant(OneNetwork, "plain"),
    "a level at full resolution": Variant(full_resolution=True),
    "half the patch": Variant(patch_share=0.8),
    "unlabelled voxels count 1": Variant(constants={(pasted, "UNLABELLED_WEIGHT"): 1.0}),
    "unlabelled voxels count 0": Variant(constants={(pasted, "UNLABELLED_WEIGHT"): 0.0}),
    "warm-up 20 %": Variant(constants={(pasted, "WARM_UP_STEPS"): 0}),
    "warm-up 60 %": Variant(constants={(pasted, "WARM_UP"): 0.6}),
    "mirrored left-right": Variant(augmentation={"mirror_axes": (2,)}),
    "stronger augmentation": Variant(augmentation=STRONG),
    "weaker augmentation": Variant(augmentation=WEAK),
    "Adam's usual memory": Variant(constants={(loop, "BETAS"): (0.9, 0.999)}),
    "default, published weights": Variant(weights=PUBLISHED),
    "default, unlabelled voxels alike": Variant(weights=UNLABELLED_ALIKE),
    "default, labelled voxels alike": Variant(weights=LABELLED_ALIKE),
    "BCP, plain": Variant(FRAMEWORKS["bcp"], "plain"),
    "BCP, MetaSSL": Variant(FRAMEWORKS["bcp"]),
    "BCP, published weights": Variant(FRAMEWORKS["bcp"], weights=PUBLISHED),
    "CCT, plain": Variant(FRAMEWORKS["cct"], "plain"),
    "CCT, MetaSSL": Variant(FRAMEWORKS["cct"]),
    "FixMatch, plain": Variant(FRAMEWORKS["fixmatch"], "plain"),
    "FixMatch, MetaSSL": Variant(FRAMEWORKS["fixmatch"]),
    "Mean Teacher, plain": Variant(FRAMEWORKS["mt"], "plain"),
    "Mean Teacher, MetaSSL": Variant(FRAMEWORKS["mt"]),
}


def read(data: Path, labelled: int) -> tuple[Plan, dict[str, PreparedCase], dict[str, list[str]]]:
    split = json.loads((data / "splits.json").read_text("utf-8"))
    raw = {}
    for case_id in split["train_order"] + split["val"]:
        label = read_labels(data / "labelsTr" / f"{case_id}.nii.gz", case_id)
        raw[case_id] = (read_image([data / "imagesTr" / f"{case_id}.nii.gz"], case_id), *label)
    known = set(split["train_order"][:labelled])
    seen = [(c, image, label if c in known else None) for c, (image, label, _) in list(raw.items())[:48]]
    classes = 1 + max(int(label[label < 255].max()) for _, label, _ in raw.values())
    plan = make_plan(fingerprint(seen), classes, "cpu", 8 << 30)
    cases = {
        c: PreparedCase(c, to_grid(image, plan, c).array, labels_to_grid(label, grid, plan))
        for c, (image, label, grid) in raw.items()
    }
    return plan, cases, split


def train(
    variant: Variant, plan: Plan, cases: dict, split: dict, few: int, minutes: float, seed: int, counted: str
) -> dict[str, Any]:
    order = split["train_order"][:-MEASURED_OF_TRAINING]
    measured = split["val"] + split["train_order"][-MEASURED_OF_TRAINING:]
    labelled = order if variant.all_labels else order[:few]
    others = [PreparedCase(c, cases[c].image) for c in order if c not in labelled]
    plan = replace(plan, patch_zyx=smaller(plan, variant.patch_share))
    if variant.full_resolution:
        plan = with_finest_level(plan)
    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        for (module, name), value in variant.constants.items():
            mock.patch.object(module, name, value).start()
        preset = get_preset("metassl").with_options(weights=variant.weights or GENTLE)
        mock.patch.dict(presets.PRESETS, metassl=preset).start()
        framework = variant.framework(plan, variant.loss)
        framework.run_on(CPU, plan.precision)
        views = replace(Augmentation.of_stacks() if plan.is_stack else Augmentation(), **variant.augmentation)
        sampler = PatchSampler(plan, [cases[c] for c in labelled], others, seed, views)
        trainer = Trainer(
            framework,
            sampler,
            Budget(seconds=60 * minutes),
            device=CPU,
            precision=plan.precision,
            seed=seed,
            checkpoint_path=Path(folder) / "last.pt",
            emit=lambda *_, **__: None,
            stop_requested=lambda: False,
            clock=clock(counted, torch.get_num_threads()),
        )
        begin = time.monotonic()
        trainer.run()
        seconds = time.monotonic() - begin
        mock.patch.stopall()
    pair = tuple(network.eval() for network in framework.inference_pair())
    pool = [predict_pair(pair, case.image, plan, CPU) for case in others[:16]] or None
    figures = measure(pair, [cases[c] for c in measured], plan, pool)
    return {"steps": trainer.step, "seconds": round(seconds, 1), **figures}


def smaller(plan: Plan, share: float) -> tuple[int, ...]:
    return tuple(
        max(int(length * share) // stride, 1) * stride
        for length, stride in zip(plan.patch_zyx, plan.total_stride, strict=True)
    )


def with_finest_level(plan: Plan) -> Plan:
    """The network that a GPU would get, with the filters that a CPU can afford."""
    return replace(
        plan,
        strides=((1, 1, 1), *plan.strides),
        kernels=(plan.kernels[0], *plan.kernels),
        filters=(plan.filters[0] // 2, *plan.filters),
    )


def measure(pair, cases: list[PreparedCase], plan: Plan, pool: list[np.ndarray] | None) -> dict[str, Any]:
    softmaxes = [predict_pair(pair, case.image, plan, CPU) for case in cases]
    thresholds = calibrate_thresholds(pool or softmaxes, plan)
    scores, errors, uncertainty = [], RegionErrors(), UncertaintyScore()
    for case, softmax in zip(cases, softmaxes, strict=True):
        maps = region_map(*torch.from_numpy(softmax.astype(np.float32)), thresholds)
        found = maps.classes.numpy()
        scores.append([dice(found == k, case.label == k) for k in range(1, plan.classes)])
        band = foreground_band(found, case.label, ERROR_BAND_VOXELS) & (case.label != 255)
        wrong = found != case.label
        errors.add(maps.regions.numpy(), wrong, band)
        uncertainty.add(maps.uncertainty.numpy(), wrong, band)
    table = errors.table()
    return {
        "dice": float(np.nanmean(scores)),
        "per_class": np.nanmean(scores, axis=0).tolist(),
        "regions": {n: {k: row[k] for k in ("error_rate", "share_of_volume")} for n, row in table.items()},
        "auroc": uncertainty.auroc,
        "errors_in_flagged_share": uncertainty.errors_in_flagged_share(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--labelled", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", help="variants, separated by ;")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="what the minutes are counted on")
    arguments = parser.parse_args()
    plan, cases, split = read(arguments.data, arguments.labelled)
    results = json.loads(arguments.out.read_text("utf-8")) if arguments.out.exists() else {}
    for seed in range(arguments.seeds):
        for name in arguments.only.split(";") if arguments.only else VARIANTS:
            key = f"{name} / seed {seed} / {arguments.minutes:g} min / {arguments.labelled} labelled"
            if key in results:
                continue
            few, minutes = arguments.labelled, arguments.minutes
            results[key] = train(VARIANTS[name], plan, cases, split, few, minutes, seed, arguments.clock)
            arguments.out.write_text(json.dumps(results, indent=1), "utf-8")
            print(f"{key}: Dice {results[key]['dice']:.4f}, {results[key]['steps']} steps", flush=True)


if __name__ == "__main__":
    main()
