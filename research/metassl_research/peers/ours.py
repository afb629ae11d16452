"""A training of ours, looked at on the way by the checkpoints that it writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from metassl.choices.defaults import DEFAULTS
from metassl.data.plan import Plan
from metassl.files.atomic import copy_file, make_folder
from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json
from metassl.frameworks import build_framework
from metassl.imaging.images import read_image
from metassl.inference.calibration import UNSEEN_CLASS_THRESHOLD
from metassl.inference.model import TrainedModel
from metassl.inference.predictor import CasePrediction, predict_image
from metassl.jobs.events import read_events
from metassl.networks.checkpoint import load_checkpoint
from metassl.networks.device import choose_device
from metassl.project.rounds import Round

from metassl_research.experiment import Experiment
from metassl_research.peers.figures import of_predictions


class OurArm(NamedTuple):
    framework: str
    loss: str
    change: Callable[[Plan], Plan] | None = None


ONE = (1, 1, 1)


def wide(plan: Plan) -> Plan:
    """Twice the filters on every level."""
    return replace(plan, filters=tuple(2 * filters for filters in plan.filters))


def full(plan: Plan) -> Plan:
    """A level at full resolution above a network that pools first, as it does on a CPU."""
    if plan.strides[0] == ONE:
        return plan
    kernels, strides = (plan.kernels[0], *plan.kernels), (ONE, *plan.strides)
    return replace(plan, filters=(max(plan.filters[0] // 2, 1), *plan.filters), kernels=kernels, strides=strides)


def both(plan: Plan) -> Plan:
    return full(wide(plan))


CHANGES = {"": None, "-wide": wide, "-full": full, "-both": both}
"""Whether its capacity or its resolution is what holds a longer training back."""

OURS = {
    "metassl": OurArm(DEFAULTS["framework"], DEFAULTS["loss"]),
    "uniform": OurArm(DEFAULTS["framework"], "uniform"),
    "plain": OurArm(DEFAULTS["framework"], "plain"),
    "supervised": OurArm("supervised", "plain"),
}
OURS |= {name + end: arm._replace(change=change) for name, arm in OURS.items() for end, change in CHANGES.items()}


class Looks:
    """Keeps the checkpoints of a running training that are the first after a share of its time."""

    def __init__(self, found: Round, shares: Sequence[float], minutes: float) -> None:
        self.folder = found.path / "on_the_way"
        self._checkpoint, self._seconds, self._seen = found.last_checkpoint_path, 60 * minutes, 0
        self._waiting = [share for share in sorted(shares) if share < 1 and not self.path(share).exists()]

    def path(self, share: float) -> Path:
        return self.folder / f"after_{share:g}.pt"

    def look(self) -> None:
        """Called often; does something only where there is a new checkpoint."""
        try:
            written = self._checkpoint.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if not self._waiting or written == self._seen:
            return
        self._seen = written
        elapsed = load_checkpoint(self._checkpoint, elapsed=(int, float))["elapsed"]
        while self._waiting and elapsed >= self._waiting[0] * self._seconds:
            make_folder(self.folder)
            copy_file(self._checkpoint, self.path(self._waiting.pop(0)))


def trained_here(
    experiment: Experiment,
    key: str,
    labelled: Sequence[str],
    arm: str,
    looks: Sequence[float],
    **options: Any,
) -> dict[str, Any]:
    """The figures of its end, "steps", "seconds", "threads", "parameters", "versions", "device", "looks" [{"seconds",
    "steps", "dice"}].

    options: of `Experiment.train`: minutes, clock, seed, device, parent.
    """
    chosen = OURS[arm]
    kept: list[Looks] = []

    def watch(found: Round) -> None:
        if not kept:
            kept.append(Looks(found, looks, options["minutes"]))
        kept[0].look()

    recipe: dict[str, Any] = chosen._asdict()
    found = experiment.train(key, labelled, watch=watch, **recipe, **options)
    state = load_checkpoint(found.last_checkpoint_path, step=int, elapsed=(int, float))
    started = [event for event in read_events(found.events_path) if event.event == "started"][-1]
    end = of_predictions(experiment, experiment.predictions(found, experiment.test))
    seen = []
    for share in sorted(looks):
        path = Looks(found, looks, options["minutes"]).path(share)
        if path.exists():
            then = load_checkpoint(path, step=int, elapsed=(int, float))
            figures = of_predictions(experiment, _predictions(experiment, found, path))
            seen.append({"seconds": round(then["elapsed"], 1), "steps": then["step"], "dice": figures["dice"]})
    last = {"seconds": round(state["elapsed"], 1), "steps": state["step"]}
    model = experiment.model(found)
    return {
        **last,
        "threads": started.threads,
        "device": started.device_name,
        "parameters": sum(weights.numel() for network in model.networks for weights in network.parameters()),
        "versions": found.record["versions"],
        "looks": [*seen, {**last, "dice": end["dice"]}],
        **end,
    }


def _predictions(experiment: Experiment, found: Round, checkpoint: Path) -> Iterator[tuple[str, CasePrediction]]:
    model = model_of_checkpoint(found, checkpoint, experiment.project.values)
    for case in experiment.test:
        yield case, predict_image(model, read_image(experiment.project.image_paths(case), case), case)


def model_of_checkpoint(found: Round, checkpoint: Path, values: list[int]) -> TrainedModel:
    """The pair of networks as they were then. Its thresholds, by which no segmentation goes, are nobody's."""
    config = found.record["config"]
    plan = Plan.from_json(read_json(found.plan_path, "the plan"))
    device = choose_device(config["device"])
    state = load_checkpoint(checkpoint, framework=dict, step=int)
    framework = build_framework(config["framework"], plan, config["loss"])
    try:
        framework.load_state_dict(state["framework"])
    except (KeyError, RuntimeError) as error:
        raise ProjectError(f"{checkpoint} is of another model than {found.plan_path}") from error
    first, second = (network.to(device).eval() for network in framework.inference_pair())
    thresholds = torch.full((2, 2, plan.classes), UNSEEN_CLASS_THRESHOLD)
    return TrainedModel((first, second), plan, thresholds, values, config["framework"], state["step"], device)
