"""The segmentation app of MONAI Label for radiology, with its published settings, in our own words.

Network, loss, optimiser, rate, batch, transforms and sliding window are those of segmentation.py in configs, trainers
and infers of sample-apps/radiology/lib (Apache-2.0, version of December 2025): a SegResNet, DiceCE, AdamW at a constant
1e-4, one crop at a time, no augmentation but its place. Its pretrained weights are of another task and are not used.

The app looks at abdominal CTs at 1.5 mm in crops of 96³; here `grid_of` makes both suit the images, which is in its
favour: smaller images than a crop would be nearly all padding.

Cardoso et al., MONAI (2022); Diaz-Pinto et al., MONAI Label, Medical Image Analysis 95 (2024),
https://github.com/Project-MONAI/MONAILabel
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from metassl.data.orientation import patient_order
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import CaseImage, read_image, read_labels
from metassl.imaging.writer import write_array
from monai.data.meta_tensor import MetaTensor
from monai.inferers.inferer import SlidingWindowInferer
from monai.losses.dice import DiceCELoss
from monai.networks.nets.segresnet import SegResNet
from monai.transforms.compose import Compose
from monai.transforms.croppad.dictionary import CropForegroundd, RandSpatialCropd
from monai.transforms.intensity.dictionary import GaussianSmoothd, NormalizeIntensityd, ScaleIntensityd
from monai.transforms.spatial.array import ResampleToMatch
from monai.transforms.spatial.dictionary import Spacingd
from monai.transforms.utility.dictionary import EnsureTyped

from metassl_research.peers.training.job import TrainingJob

NETWORK: dict[str, Any] = {"init_filters": 32, "blocks_down": (1, 2, 2, 4), "blocks_up": (1, 1, 1), "dropout_prob": 0.2}
RATE, WEIGHT_DECAY = 1e-4, 1e-5
COARSEST_MM, LARGEST_CROP, STEP = 1.5, 96, 16
MARGIN, SIGMA, WINDOW_OVERLAP, WINDOWS = 10, 0.4, 0.4, 2


@dataclass(frozen=True)
class Grid:
    """spacing: mm a voxel. crop: voxels. Of images that are turned."""

    spacing: tuple[float, ...]
    crop: tuple[int, ...]


def grid_of(images: Sequence[MetaTensor]) -> Grid:
    """The median spacing where that is finer than the app's; a crop that holds the largest image, no more than its."""
    spacings = np.array([np.asarray(image.pixdim) for image in images])
    spacing = np.minimum(np.median(spacings, axis=0), COARSEST_MM)
    sizes = np.array([image.shape[1:] for image in images]) * spacings / spacing
    crop = np.clip(np.ceil(sizes.max(axis=0) / STEP) * STEP, STEP, LARGEST_CROP).astype(int)
    return Grid(tuple(map(float, spacing)), tuple(map(int, crop)))


def turned(array: np.ndarray, geometry: Geometry) -> MetaTensor:
    """(C, z, y, x) with axes that run as the patient's, up to 45 degrees; its affine says the spacing alone."""
    order = patient_order(geometry)
    array = array.transpose(0, *(1 + axis for axis in order.order))
    array = np.flip(array, tuple(1 + axis for axis in range(3) if order.flips[axis]))
    spacing = order.reorder(geometry.spacing_zyx)
    return MetaTensor(torch.as_tensor(np.ascontiguousarray(array)), affine=torch.diag(torch.tensor([*spacing, 1.0])))


def turned_back(array: np.ndarray, geometry: Geometry) -> np.ndarray:
    """(z, y, x) of a turned image as the image has it."""
    order = patient_order(geometry)
    array = np.flip(array, tuple(axis for axis in range(3) if order.flips[axis]))
    return np.ascontiguousarray(array.transpose(order.back(range(3))))


def prepared(keys: tuple[str, ...], grid: Grid) -> Compose:
    """What is done to an image, and to its label, once; the same in training and predicting."""
    return Compose(
        [
            Spacingd(keys, pixdim=grid.spacing, mode=("bilinear", "nearest")[: len(keys)]),
            NormalizeIntensityd("image", nonzero=True),
        ]
    )


def scaled(keys: tuple[str, ...], grid: Grid, crops: bool) -> Compose:
    """What comes then; in training the foreground is cut out first, in multiples of a crop."""
    cut = [CropForegroundd(keys, source_key="image", margin=MARGIN, k_divisible=grid.crop)] if crops else []
    return Compose([*cut, GaussianSmoothd("image", sigma=SIGMA), ScaleIntensityd("image", minv=-1.0, maxv=1.0)])


def peer(job: TrainingJob) -> MonaiLabelPeer:
    return MonaiLabelPeer(job)


class MonaiLabelPeer:
    packages = ("monai",)

    def __init__(self, job: TrainingJob) -> None:
        self.device = torch.device(job.device)
        torch.manual_seed(job.seed)
        self._rng = np.random.default_rng(job.seed)
        raw = Path(job.raw)
        described = json.loads((raw / "dataset.json").read_text(encoding="utf-8"))
        channels = len(described["channel_names"])
        names = sorted(path.name.removesuffix(".nii.gz") for path in (raw / "labelsTr").iterdir())
        pairs = [_read(raw, name, channels) for name in names]
        self.grid = grid_of([pair["image"] for pair in pairs])
        keys = ("image", "label")
        self._cases = [scaled(keys, self.grid, crops=True)(prepared(keys, self.grid)(pair)) for pair in pairs]
        self._crop = RandSpatialCropd(keys, roi_size=self.grid.crop, random_size=False).set_random_state(job.seed)
        outputs = len(described["labels"])
        self.network = SegResNet(spatial_dims=3, in_channels=channels, out_channels=outputs, **NETWORK).to(self.device)
        self._loss = DiceCELoss(to_onehot_y=True, softmax=True)
        self._optimizer = torch.optim.AdamW(self.network.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
        self._order: list[int] = []

    def step(self, number: int, spent: float) -> None:
        if not self._order:
            self._order = self._rng.permutation(len(self._cases)).tolist()
        cut: Any = EnsureTyped(("image", "label"), device=self.device)(self._crop(self._cases[self._order.pop()]))
        self.network.train()
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self.network(cut["image"][None].as_tensor()), cut["label"][None].as_tensor())
        loss.backward()
        self._optimizer.step()

    def state(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])

    @torch.no_grad()
    def predict(self, images: list[Path], path: Path) -> None:
        image = read_image(images, path.name)
        whole = turned(image.array, image.geometry)
        ready = scaled(("image",), self.grid, crops=False)(prepared(("image",), self.grid)({"image": whole}))["image"]
        window: Any = SlidingWindowInferer(
            self.grid.crop, WINDOWS, overlap=WINDOW_OVERLAP, mode="gaussian", padding_mode="replicate"
        )
        self.network.eval()
        probabilities = window(ready[None].as_tensor().to(self.device), self.network).softmax(1)[0].cpu()
        there: Any = ResampleToMatch(mode="bilinear", padding_mode="border")(
            MetaTensor(probabilities, affine=ready.affine), whole
        )
        labels = there.argmax(0).as_tensor().numpy().astype(np.uint8)
        write_array(path, turned_back(labels, image.geometry), image.geometry)

    def finish(self) -> None:
        pass


def _read(raw: Path, name: str, channels: int) -> dict[str, MetaTensor]:
    paths = [raw / "imagesTr" / f"{name}_{number:04d}.nii.gz" for number in range(channels)]
    image: CaseImage = read_image(paths, name)
    label, geometry = read_labels(raw / "labelsTr" / f"{name}.nii.gz", name)
    return {
        "image": turned(image.array, image.geometry),
        "label": turned(label[None].astype(np.float32), geometry),
    }
