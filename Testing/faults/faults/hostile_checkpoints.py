"""Hostile model and checkpoint files, and what must come of loading one."""

from __future__ import annotations

import io
import tempfile
import warnings
import zipfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
import torch._dynamo  # noqa: F401  # else the first training loads it, in seconds of processor time
from metassl.data.augment import Augmentation
from metassl.data.streams import PatchSampler, PreparedCase
from metassl.files import MetaSSLError
from metassl.frameworks import build_framework
from metassl.imaging import CaseImage, Geometry
from metassl.inference.error_model import ErrorModel
from metassl.inference.model import TrainedModel
from metassl.inference.predictor import predict_image
from metassl.training.eta import Budget
from metassl.training.loop import Trainer
from tiny_plan import tiny_plan

from .hostile_bytes import mutated
from .hostile_child import Verdict
from .hostile_values import ABSURD, changed

CPU = torch.device("cpu")
PLAN = tiny_plan(patch_zyx=(8, 8, 8), filters=(2, 4, 4))
TENSORS = (
    torch.zeros(1).expand(10**6, 10**6),
    torch.full((3,), float("nan")),
    torch.zeros(3, dtype=torch.float64),
    torch.zeros(3, dtype=torch.complex64),
    torch.zeros(3, dtype=torch.bool),
    torch.zeros(0),
    torch.zeros(2, 3).to_sparse(),
    torch.zeros(100, 100),
)


def make(part: str, random: Random) -> bytes:
    """A hostile version of model.pt or last.pt."""
    data = sound(part)
    change = random.randrange(10)
    if change < 3:
        return mutated(data, random)
    if change == 3:
        return _packed_anew(data, random)
    content = torch.load(io.BytesIO(data), weights_only=True)
    changed(content, random, (*ABSURD, *TENSORS))
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def probe(path: Path, part: str, data: bytes) -> Verdict:
    """Load it, and predict a case or go on training with it."""
    path.write_bytes(data)
    try:
        if part == "last.pt":
            trainer = _trainer(path)
            trainer.resume()
            trainer.train_step(trainer.sampler.batch(0))
        else:
            model = TrainedModel.load(path, CPU)
            prediction = predict_image(model, _image(), "case")
            known = set(np.unique(prediction.segmentation)) <= set(model.values)
            if not known or not np.isfinite(prediction.uncertainty).all():
                return Verdict("wrong", "the prediction has values that are in no class, or not finite")
    except MetaSSLError as error:
        said = str(error)
        named = str(path) in said or said.startswith("case case:") or "loss was not finite" in said
        return Verdict("" if named and said.isprintable() else "unclear", said)
    finally:
        path.unlink()
    return Verdict()


@cache
def sound(part: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / part
        if part == "last.pt":
            trainer = _trainer(path)
            trainer.train_step(trainer.sampler.batch(0))
            trainer.save()
        else:
            networks = tuple(build_framework("cps", PLAN).inference_pair())
            thresholds = torch.full((2, 2, 3), 0.5)
            error_model = ErrorModel(PLAN.classes, PLAN.in_channels)
            TrainedModel(networks, PLAN, thresholds, [0, 1, 2], "cps", 9, CPU, error_model).save(path)
        return path.read_bytes()


def _trainer(path: Path) -> Trainer:
    torch.manual_seed(0)
    image = np.random.default_rng(0).normal(size=(1, 8, 8, 8)).astype(np.float16)
    label = (image[0] > 0).astype(np.uint8)
    cases = [PreparedCase("a", image, label)]
    return Trainer(
        build_framework("cps", PLAN),
        PatchSampler(PLAN, cases, [PreparedCase("b", image)], 0, Augmentation()),
        Budget(iterations=9),
        device=CPU,
        precision="fp32",
        seed=0,
        checkpoint_path=path,
        emit=lambda event, **fields: None,
        stop_requested=lambda: False,
    )


def _image() -> CaseImage:
    array = np.random.default_rng(1).normal(size=(1, 8, 8, 8)).astype(np.float32)
    return CaseImage(array, Geometry((8, 8, 8), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)))


def _packed_anew(data: bytes, random: Random) -> bytes:
    """The same entries, compressed, renamed, changed, twice, or with a bomb beside them."""
    source, target = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    entries: list[tuple[str, bytes]] = [(name, source.read(name)) for name in source.namelist()]
    change, number = random.randrange(5), random.randrange(len(entries))
    name, content = entries[number]
    packing: Any = zipfile.ZIP_STORED
    if change == 0:
        packing = zipfile.ZIP_DEFLATED
    elif change == 1:
        packing, entries[number] = zipfile.ZIP_DEFLATED, (name, bytes(50 << 20))
    elif change == 2:
        entries[number] = (name, mutated(content, random))
    elif change == 3:
        entries[number] = (random.choice(("../../x", "/etc/x", "x" * 1000, "archive/data.pkl")), content)
    else:
        del entries[number]
    with zipfile.ZipFile(target, "w", packing) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a name is there twice
        for each, inside in entries:
            archive.writestr(each, inside)
    return target.getvalue()
