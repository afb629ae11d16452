"""The parts of gpu_check.py: each measures one thing on a device and returns plain numbers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loss_speed import compare, plan_for
from metassl.data.augment import Augmentation
from metassl.data.fingerprint import fingerprint
from metassl.data.plan import Plan, make_plan
from metassl.data.streams import PatchSampler
from metassl.frameworks import build_framework
from metassl.imaging import CaseImage, Geometry
from metassl.inference.model import TrainedModel
from metassl.inference.predictor import predict_image
from metassl.networks.checkpoint import load_checkpoint
from metassl.networks.device import memory_bytes, memory_in_use_mb, wait_for
from metassl.project import Project
from metassl.training.eta import Budget
from metassl.training.job import Stopped
from metassl.training.loop import Trainer
from metassl.training.speed import StepMeter, made_up_cases

TESTING = Path(__file__).parents[1]
sys.path[:0] = [str(TESTING / "support"), str(TESTING / "faults")]

from faults.killed_worker_cohort import ball_project  # noqa: E402
from faults.out_of_memory import PLAN as SMALL_LADDER  # noqa: E402
from faults.out_of_memory import (  # noqa: E402
    new_round,  # noqa: E402
    rungs_of,
    work,
)
from faults.out_of_memory_limit import Meter, steps_keep_at_most  # noqa: E402
from metassl.jobs import job_status  # noqa: E402
from view_statistics import distance, largest_distance, samples  # noqa: E402

MOST_DATA_WAIT = 0.05
RESUME_STEPS = 8


@dataclass(frozen=True)
class Asked:
    """small: at a size that a CPU manages. data: the folder of the data sets, or None."""

    device: torch.device
    small: bool
    data: Path | None

    @property
    def seconds(self) -> float:
        """Of a measurement of steps."""
        return 1.0 if self.small else 6.0

    @property
    def plan(self) -> Plan:
        """At 128³, two patches of either kind."""
        if self.small:
            return plan_for((32, 32, 32), self.device)
        return replace(plan_for((128, 128, 128), self.device), batch=(2, 2))


def speed(asked: Asked) -> dict[str, Any]:
    """A training step in every number format of the device, the plan's first."""
    formats = [asked.plan.precision]
    if asked.device.type == "cuda":
        formats = list(dict.fromkeys([*formats, "bf16", "fp16", "fp32"]))
    found = {}
    for precision in formats:
        measured = StepMeter(replace(asked.plan, precision=precision), asked.device).measure(asked.seconds)
        found[precision] = measured.to_json() | {"steps_per_second": round(1 / measured.seconds_per_step, 3)}
    small = {}
    if asked.device.type != "cpu":  # which makes its batches when they are asked for
        small = {"data_wait_is_small": found[formats[0]]["data_wait_share"] < MOST_DATA_WAIT}
    return {"planned": formats[0], **small, "formats": found}


def loss(asked: Asked) -> dict[str, Any]:
    """The default framework's step with MetaSSL against its plain one, in turn."""
    return compare("cps", replace(asked.plan, batch=(1, 1)), asked.device, 3 if asked.small else 15)


def layout(asked: Asked) -> dict[str, Any]:
    """Steps with the channels last in memory against the usual layout."""
    seconds = {}
    for name, memory_format in (("usual", torch.contiguous_format), ("channels_last", torch.channels_last_3d)):
        meter = StepMeter(asked.plan, asked.device)
        meter.training.to(memory_format=memory_format)
        seconds[name] = meter.measure(asked.seconds).seconds_per_step
    return seconds | {"ratio": round(seconds["channels_last"] / seconds["usual"], 4)}


def resume(asked: Asked) -> dict[str, Any]:
    """Weights after a training that was stopped in the middle and resumed, against one that was not.

    `again`: the same between two whole trainings; what a device does not repeat to the bit shows there as well.
    """
    with tempfile.TemporaryDirectory() as folder:
        whole, again = (_weights(asked, Path(folder) / name, None) for name in ("whole", "again"))
        _weights(asked, Path(folder) / "parts", RESUME_STEPS // 2)
        resumed = _weights(asked, Path(folder) / "parts", None)
    change = float((whole - _weights(asked, None, None)).norm())  # what training does to the weights
    return {
        "to_the_bit": torch.equal(whole, resumed),
        "difference": float((whole - resumed).norm()) / change,
        "again": float((whole - again).norm()) / change,
    }


def _weights(asked: Asked, folder: Path | None, stop_at: int | None) -> torch.Tensor:
    """All in one, after RESUME_STEPS; without a folder after none."""
    torch.manual_seed(0)
    plan = replace(asked.plan, patch_zyx=(32, 32, 32), batch=(1, 1))
    framework = build_framework("cps", plan, "metassl")
    framework.run_on(asked.device, plan.precision)
    if folder is not None:
        cases = made_up_cases(plan, 4)
        trainer = Trainer(
            framework,
            PatchSampler(plan, cases[:2], cases[2:], 0, Augmentation()),
            Budget(RESUME_STEPS),
            device=asked.device,
            precision=plan.precision,
            seed=0,
            checkpoint_path=folder / "last.pt",
            emit=lambda *_, **__: None,
            stop_requested=lambda: trainer.step == stop_at,
        )
        if trainer.checkpoint_path.exists():
            trainer.resume()
        try:
            trainer.run()
        except Stopped:
            pass
    return torch.cat([weights.detach().float().flatten().cpu() for weights in framework.networks.parameters()])


def ladder(asked: Asked) -> dict[str, Any]:
    """Rounds in less and less memory: what each gives up until it fits, and whether it ends with a model."""
    plan, most = SMALL_LADDER, 0
    if asked.device.type == "cuda":
        plan = replace(asked.plan, batch=(4, 4), classes=2, precision="fp32")
    with tempfile.TemporaryDirectory() as folder:
        project = ball_project(Path(folder) / "project", Path(folder) / "images")
        walks = []
        for share in (None, 0.3) if asked.small else (None, 0.6, 0.25, 0.06):
            found = new_round(project, asked.device.type, plan)
            begin = time.perf_counter()
            with _steps_may_keep(asked, None if share is None else round(share * most)) as meter:
                work(found)
            if share is None:
                most = meter.most if asked.device.type == "cpu" else torch.cuda.max_memory_reserved(asked.device)
            status = job_status(found)
            walks.append(
                {
                    "memory_mb": None if share is None else round(share * most / 2**20, 1),
                    "rungs": rungs_of(found),
                    "state": status.state,
                    "seconds": round(time.perf_counter() - begin, 1),
                }
            )
    ends = all(walk["state"] == "finished" for walk in walks)
    return {"most_mb": round(most / 2**20, 1), "all_end_with_a_model": ends, "walks": walks}


@contextmanager
def _steps_may_keep(asked: Asked, most: int | None):
    """On a GPU the true limit of its allocator; on a CPU what steps keep for their backward pass is counted."""
    if asked.device.type != "cuda":
        limit: AbstractContextManager = steps_keep_at_most(float("inf") if most is None else most)
        with limit as meter:
            yield meter
        return
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(asked.device)
    share = 1.0 if most is None else most / torch.cuda.get_device_properties(asked.device).total_memory
    torch.cuda.set_per_process_memory_fraction(share, asked.device)
    try:
        yield Meter()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, asked.device)


def augmentation(asked: Asked) -> dict[str, Any]:
    """Distances of Kolmogorov and Smirnov between statistics of views of the device and of the CPU."""
    draws = 120 if asked.small else 400
    expected, found = samples(Augmentation(), draws, None), samples(Augmentation(), draws, asked.device, seed=1)
    distances = {name: round(distance(expected[name], found[name]), 4) for name in expected}
    limit = largest_distance(draws)
    return {"draws": draws, "limit": round(limit, 4), "same": max(distances.values()) < limit, "distances": distances}


def ct(asked: Asked) -> dict[str, Any]:
    """Prediction of a made-up CT by networks that have learnt nothing: the work is the same."""
    image, label = _made_up_ct((75, 128, 128) if asked.small else (300, 512, 512))
    facts = fingerprint([("ct", image, label)])
    plan = make_plan(facts, 3, asked.device.type, memory_bytes(asked.device))
    torch.manual_seed(0)
    framework = build_framework("cps", plan, "metassl")
    framework.run_on(asked.device, plan.precision)
    for network in framework.networks:  # so that air is background, and the maps are not those of noise
        bias = [weights for weights in network.parameters() if weights.shape == (plan.classes,)][-1]
        bias.data[0] += 3.0
    pair = tuple(network.eval() for network in framework.networks)
    thresholds = torch.full((2, 2, plan.classes), 0.9)
    model = TrainedModel(pair, plan, thresholds, [0, 1, 2], "cps", 0, asked.device)
    if asked.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(asked.device)
    begin = time.perf_counter()
    predict_image(model, image, "ct")
    wait_for(asked.device)
    return {
        "shape_xyz": list(reversed(image.array.shape[1:])),
        "plan": plan.describe(),
        "seconds": round(time.perf_counter() - begin, 2),
        "device_memory_mb": memory_in_use_mb(asked.device),
        "memory_mb": memory_in_use_mb(torch.device("cpu")),
    }


def _made_up_ct(shape: tuple[int, int, int]) -> tuple[CaseImage, np.ndarray]:
    """A body with a liver-like and a kidney-like structure, in Hounsfield units."""
    z, y, x = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in shape)]
    label = np.zeros(shape, np.uint8)
    label[((x + 0.3) / 0.4) ** 2 + ((y + 0.1) / 0.35) ** 2 + ((z - 0.3) / 0.45) ** 2 < 1] = 1
    label[((x - 0.3) / 0.12) ** 2 + ((y - 0.2) / 0.14) ** 2 + ((z + 0.1) / 0.3) ** 2 < 1] = 2
    body = np.broadcast_to((x / 0.8) ** 2 + (y / 0.55) ** 2 < 1, shape)
    image = np.where(body, np.array([-80, 70, 130], np.float32)[label], np.float32(-1000))
    image += 25 * np.random.default_rng(0).standard_normal(shape, np.float32)
    spacing = tuple(mm * full / n for mm, full, n in zip((0.78, 0.78, 1.5), (512, 512, 300), shape[::-1], strict=True))
    grid = Geometry(shape[::-1], spacing, (0.0,) * 3, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    return CaseImage(np.clip(image, -1024, 3000).round()[None], grid), label


SETS = {
    "hippocampus": ("Task04_Hippocampus", ["--labelled", "3", "--validation", "13"]),
    "acdc": ("Task27_ACDC", ["--labelled", "6", "--validation", "10"]),
}


def dice(asked: Asked, name: str, seconds: float) -> dict[str, Any]:
    """A whole round of so many seconds on real images, and the Dice of images that it has not seen."""
    folder_name, options = SETS[name]
    folder = (asked.data or Path()) / folder_name
    if asked.data is None or not (folder / "dataset.json").is_file():
        return {"left_out": f"there is no {folder}: give --data the folder that holds {folder_name}"}
    minutes = f"{seconds / 60:.4f}"
    with tempfile.TemporaryDirectory() as temporary:
        if asked.small:
            folder, options = _few_of(folder, Path(temporary) / "few"), ["--labelled", "3", "--validation", "2"]
        project = str(Path(temporary) / "project")
        _metassl("new", project, "--from", str(folder), *options)
        begin = time.perf_counter()
        try:
            _metassl("train", project, "--minutes", minutes, "--device", asked.device.type)
        except SystemExit:  # the budget has ended, and the training is a process of its own
            _metassl("stop", project, "--now")
            raise
        taken = time.perf_counter() - begin
        measured = _metassl("evaluate", project, "--truth", str(folder / "labelsTr"), "--device", asked.device.type)
        checkpoint = Project.open(Path(project)).latest_round().last_checkpoint_path
        steps = load_checkpoint(checkpoint, step=int)["step"]
    return {
        "seconds_of_training": seconds,
        "seconds_until_all_is_predicted": round(taken, 1),
        "steps": steps,
        "dice": measured["dice"],
        "cases": measured["n_cases"],
    }


def _few_of(folder: Path, few: Path) -> Path:
    """The first images of the data set."""
    description = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    description["training"] = description["training"][:8]
    for entry in description["training"]:
        for name in entry.values():
            (few / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / name, few / name)
    (few / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    return few


def _metassl(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "metassl", *arguments, "--json"], capture_output=True, text=True, encoding="utf-8"
    )
    if done.returncode:
        raise RuntimeError(f"metassl {arguments[0]} failed: {done.stderr.strip()[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


PARTS: dict[str, Callable[[Asked], dict[str, Any]]] = {
    "speed": speed,
    "augmentation": augmentation,
    "resume": resume,
    "loss": loss,
    "layout": layout,
    "ladder": ladder,
    "ct": ct,
    "hippocampus after 40 s": lambda asked: dice(asked, "hippocampus", 12 if asked.small else 40),
    "acdc after 40 s": lambda asked: dice(asked, "acdc", 12 if asked.small else 40),
    "hippocampus after 4 min": lambda asked: dice(asked, "hippocampus", 24 if asked.small else 240),
    "acdc after 4 min": lambda asked: dice(asked, "acdc", 24 if asked.small else 240),
}
