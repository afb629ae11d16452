"""What large images and large pools cost: the prediction of a CT, and how long the first review waits for it.

    python Testing/benchmarks/made_up_cts.py cts
    metassl new P --from cts --labelled 2 --validation 0
    python Testing/benchmarks/big_images.py train P --minutes 8
    python Testing/benchmarks/big_images.py predict P ct_003 cts/labelsTr
    python Testing/benchmarks/big_images.py windows P ct_003 cts/labelsTr     # other sizes and overlaps of windows
    python Testing/benchmarks/big_images.py review P --steps 20

Each prints a line of JSON and appends it to --out, with --label. Seconds are of one core (processor time, with
OMP_NUM_THREADS=1), so that other programs at work add nothing; `wall_s` is what passed. To measure another version,
run it with the PYTHONPATH of that version.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from metassl.choices.defaults import DEFAULTS
from metassl.data.preprocess import labels_to_grid, to_grid
from metassl.imaging.images import read_image, read_labels
from metassl.inference import sliding_window
from metassl.inference.calibration import calibrate_thresholds
from metassl.inference.model import TrainedModel
from metassl.inference.predictor import predict_image, summarise, write_prediction
from metassl.inference.region_map import region_map
from metassl.inference.sliding_window import predict_pair
from metassl.jobs.start import round_record
from metassl.jobs.writer import JobWriter
from metassl.project import Project
from metassl.project.rounds import PredictionPaths, Round
from metassl.training.job import Job
from metassl.training.worker import run_training

WINDOWS = ((1, 0.5), (1, 0.25), (1.5, 0.5), (1.5, 0.25), (2, 0.5), (2, 0.25))
TWO_CORES = 2
"""Minutes are those of so many cores, here spent on one."""


class Watch:
    """Processor seconds and wall seconds of parts of the work."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self._last = self._first = time.process_time()
        self._began = time.monotonic()

    def part(self, name: str) -> None:
        now = time.process_time()
        self.parts[name] = round(now - self._last, 1)
        self._last = now

    def figures(self) -> dict[str, Any]:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        whole = round(time.process_time() - self._first, 1)
        return {"cpu_s": whole, "wall_s": round(time.monotonic() - self._began, 1), "peak_mb": peak, **self.parts}


def new_round(project: Project, **config: Any) -> Round:
    labelled, others = project.labelled_cases(), project.unlabelled_cases()
    record = round_record(
        {**DEFAULTS, "device": "cpu", "clock": "processor", **config},
        project.start_round(),
        labels={case.id: case.label_version or "" for case in labelled},
        validation={},
        unlabelled=[case.id for case in others],
    )
    return project.new_round(record)


def run(found: Round, project: Project) -> list[tuple[str, str, float]]:
    """(event, stage, processor seconds) of a round, trained in this process."""
    told: list[tuple[str, str, float]] = []
    writer = JobWriter(found)

    def emit(event: str, **fields: Any) -> Any:
        told.append((event, fields.get("stage", ""), time.process_time()))
        return writer.write(event, **fields)

    run_training(Job(project, found, emit))
    writer.close()
    return told


def train(project: Project, minutes: float, quality: str) -> dict[str, Any]:
    watch = Watch()
    found = new_round(project, minutes=minutes * TWO_CORES, iterations=None, quality=quality)
    told = run(found, project)
    model = TrainedModel.load(found.model_path, torch.device("cpu"))
    return {"round": found.number, "plan": model.plan.describe(), "steps": model.step, **waits(told), **watch.figures()}


def review(project: Project, steps: int) -> dict[str, Any]:
    waiting = len(project.unlabelled_cases())
    told = run(new_round(project, minutes=None, iterations=steps), project)
    return {"waiting": waiting, **waits(told)}


def waits(told: list[tuple[str, str, float]]) -> dict[str, float]:
    """From the last step until the first ranked case, and until the last one."""
    end = next(at for event, stage, at in told if (event, stage) == ("stage", "calibrating"))
    ranked = [at for event, _stage, at in told if event == "ranked"]
    return {"first_review_s": round(ranked[0] - end, 1), "all_s": round(ranked[-1] - end, 1)}


def predict(project: Project, case: str, truths: Path) -> dict[str, Any]:
    found = project.start_round()
    if found is None:
        raise SystemExit("train a round first")
    model = TrainedModel.load(found.model_path, torch.device("cpu"))
    truth, _grid = read_labels(truths / f"{case}.nii.gz", case)
    with tempfile.TemporaryDirectory() as folder:
        paths, watch = PredictionPaths.at(Path(folder) / case), Watch()
        image = read_image(project.image_paths(case), case)
        watch.part("read_s")
        prediction = predict_image(model, image, case)
        watch.part("predict_s")
        write_prediction(paths, prediction, summarise(prediction, case, 1, project.labels, None, model.step))
        watch.part("write_s")
        figures = watch.figures()
        size = sum(path.stat().st_size for path in paths.folder.iterdir())
    begin = time.process_time()
    shape = to_grid(image, model.plan, case).array.shape[1:]
    figures["of_it_to_grid_s"] = round(time.process_time() - begin, 1)
    figures["bare_s"] = round(bare_seconds(model) * float(np.prod(shape)) * body_share(image.array[0]), 1)
    shown = prediction.segmentation
    dice = {each.name: overlap(shown == each.value, truth == each.value) for each in project.labels}
    return {
        "case": case,
        "steps": model.step,
        **figures,
        "bytes_per_voxel": round(size / truth.size, 3),
        "mb": round(size / 1e6, 1),
        "dice": dice,
        "flagged_share": round(float((prediction.regions > 1).mean()), 5),
        "errors_flagged": round(float(((shown != truth) & (prediction.regions > 1)).sum() / (shown != truth).sum()), 3),
    }


def windows(project: Project, case: str, truths: Path) -> Iterator[dict[str, Any]]:
    """Passes in windows of other sizes and overlaps, against the truth."""
    found = project.start_round()
    if found is None:
        raise SystemExit("train a round first")
    model = TrainedModel.load(found.model_path, torch.device("cpu"))
    prepared = to_grid(read_image(project.image_paths(case), case), model.plan, case)
    truth, grid = read_labels(truths / f"{case}.nii.gz", case)
    on_grid = labels_to_grid(truth, grid, model.plan)
    for times, share in WINDOWS:
        setting = {"times": times, "overlap": share}
        sliding_window.STRETCH = times
        begin = time.process_time()
        pair = predict_pair(model.networks, prepared.array, model.plan, model.device, share)
        setting["pass_s"] = round(time.process_time() - begin, 1)
        thresholds = calibrate_thresholds([pair], model.plan)
        maps = region_map(*torch.from_numpy(pair.astype(np.float32)), thresholds, model.definition)
        regions, wrong = maps.regions.numpy(), maps.classes.numpy() != on_grid
        mean, shown = pair.astype(np.float32).mean(0), np.empty(truth.shape, np.uint8)
        for rows, (part,) in prepared.transform.restore_slabs(mean):
            shown[rows] = np.asarray(model.values, np.uint8)[part.numpy().argmax(0)]
        dice = {each.name: overlap(shown == each.value, truth == each.value) for each in project.labels}
        flagged = round(float((wrong & (regions > 1)).sum() / wrong.sum()), 3)
        yield {"case": case, **setting, "dice": dice, "errors_flagged": flagged}


def bare_seconds(model: TrainedModel) -> float:
    """Of both networks, for each voxel of the plan's grid, once."""
    window = torch.randn(1, model.plan.in_channels, *model.plan.patch_zyx)
    from metassl.networks.device import autocast

    with torch.inference_mode(), autocast(torch.device("cpu"), model.plan.precision):
        for _ in range(3):
            begin = time.process_time()
            for network in model.networks:
                network(window)
    return (time.process_time() - begin) / window[0, 0].numel()


def body_share(hu: np.ndarray) -> float:
    return float((hu[:, ::4, ::4] > -500).mean())


def overlap(found: np.ndarray, true: np.ndarray) -> float:
    return round(float(2 * (found & true).sum() / (found.sum() + true.sum())), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "predict", "windows", "review"))
    parser.add_argument("project", type=Path)
    parser.add_argument("case", nargs="?")
    parser.add_argument("truths", nargs="?", type=Path)
    parser.add_argument("--minutes", type=float, default=DEFAULTS["minutes"], help="of two cores")
    parser.add_argument("--quality", default="fast")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--label", default="")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    project = Project.open(arguments.project)
    if arguments.what == "train":
        found = iter([train(project, arguments.minutes, arguments.quality)])
    elif arguments.what == "review":
        found = iter([review(project, arguments.steps)])
    elif arguments.what == "windows":
        found = windows(project, arguments.case, arguments.truths)
    else:
        found = iter([predict(project, arguments.case, arguments.truths)])
    for figures in found:
        line = json.dumps({"what": arguments.what, "label": arguments.label, **figures})
        print(line, flush=True)
        if arguments.out:
            with arguments.out.open("a", encoding="utf-8") as stream:
                stream.write(line + "\n")


if __name__ == "__main__":
    main()
