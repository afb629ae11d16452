"""What `configs/inference.json` of a bundle is put together from.

Images are as MONAI has them, (C, x, y, z), up to `ToPlanGridd` and from `RegionMapd` on; between these they lie on the
grid of the plan, (C, z, y, x). `meta["metassl_grid"]` is the image's own grid, see `Geometry.numbers`;
`meta["metassl_box"]` is what of it the plan of a model from elsewhere keeps, see `GivenGrid`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from monai.data.image_reader import ImageReader
from monai.data.image_writer import ImageWriter
from monai.data.meta_tensor import MetaTensor
from monai.inferers.inferer import Inferer
from monai.transforms.transform import MapTransform
from monai.utils.enums import MetaKeys, SpaceKeys
from monai.utils.misc import ImageMetaKey, ensure_tuple

from metassl.data.given_grid import GivenGrid
from metassl.data.grid import GridTransform
from metassl.data.plan import Plan
from metassl.data.preprocess import to_grid
from metassl.files.errors import ErrorCode, MetaSSLError
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import CaseImage, read_image
from metassl.imaging.writer import write_array
from metassl.inference.error_model import ErrorModel
from metassl.inference.operating_point.point import Point
from metassl.inference.predictor import to_image_grid
from metassl.inference.sliding_window import predict_pair
from metassl.inference.smaller_windows import with_smaller_windows
from metassl.intake.found import FoundCase
from metassl.intake.images import find_images
from metassl.intake.tree import stem
from metassl.intake.usable import images_of
from metassl.networks.unet import build_network
from metassl.project.cases import make_case_id

GRID = "metassl_grid"
BOX = "metassl_box"


def cases_in(folder: str, channels: Sequence[str]) -> list[dict[str, Any]]:
    """What a `Dataset` takes: {"image": [path of each channel], "case": id} for each case that `metassl scan` finds.

    folder: also a single image or a table of cases. channels: the model's, in its order. Raises ProjectError.
    """
    found = find_images([Path(folder)], channels)
    return [{"image": [str(path) for path in case.images], "case": case.id} for case in found.cases]


def network_of(plan: Mapping[str, Any]) -> torch.nn.Module:
    """The network of a model from elsewhere, which `scripts/unet.py` cannot build."""
    network: torch.nn.Module = build_network(Plan.from_json(plan))
    return network


class CaseReader(ImageReader):
    """Reads all that `metassl.imaging.read_image` reads (NIfTI, NRRD, MetaImage, DICOM series), with its checks.

    channels: how many the model has, for files that hold several. `get_data` raises ImageError.
    """

    def __init__(self, channels: int = 1) -> None:
        self._channels = channels

    def verify_suffix(self, filename: Any) -> bool:
        return True

    def read(self, data: Any, **kwargs: Any) -> list[Path]:
        """The paths. They are read by `get_data`: of what this raises, MONAI would try other readers."""
        return [Path(path) for path in ensure_tuple(data)]

    def get_data(self, img: Sequence[Path]) -> tuple[np.ndarray, dict[str, Any]]:
        """float32 (C, x, y, z), and its metadata."""
        case = FoundCase(make_case_id(stem(img[0])), list(img))
        with TemporaryDirectory() as folder:
            files, _told = images_of(Path(folder), case, self._channels)
            image = read_image(files, case.id)
        return image.array.transpose(0, 3, 2, 1), _meta(image.geometry)


class ToPlanGridd(MapTransform):
    """Intensities, axes and spacing as the networks were trained with: float32 (C, z, y, x) on the grid of `plan`."""

    def __init__(self, keys: Any, plan: Mapping[str, Any], allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self._plan = Plan.from_json(plan)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(result):
            image = result[key]
            geometry = _geometry_of(image)
            array = np.ascontiguousarray(np.asarray(image).transpose(0, 3, 2, 1), dtype=np.float32)
            prepared = to_grid(CaseImage(array, geometry), self._plan, str(result.get("case", "")))
            meta = {**getattr(image, "meta", {}), **_meta(geometry)}
            if isinstance(prepared.transform, GivenGrid):
                meta[BOX] = np.array(prepared.transform.box)
            result[key] = MetaTensor(torch.from_numpy(prepared.array.astype(np.float32)), meta=meta)
        return result


class PairInferer(Inferer):
    """The sliding window over both networks of a `Pair`: their softmaxes one after the other, float16 (B, 2K, z, y, x).

    Where the memory is too small, in smaller windows, at last on the CPU. offsets, one_piece: of `Point`.
    """

    def __init__(
        self, plan: Mapping[str, Any], offsets: Sequence[float] | None = None, one_piece: Sequence[int] = ()
    ) -> None:
        self._plan, self._point = Plan.from_json(plan), Point(offsets, one_piece)

    def __call__(self, inputs: torch.Tensor, network: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        networks = (network.first, network.second)
        found = []
        for image in np.asarray(inputs.detach().cpu()):

            def work(plan: Plan, device: torch.device, image: np.ndarray = image) -> np.ndarray:
                return predict_pair(networks, image, plan, device, point=self._point)

            pair = with_smaller_windows(networks, self._plan, inputs.device, "image", work)
            found.append(torch.from_numpy(pair.reshape(-1, *pair.shape[2:])))
        return torch.stack(found)


class RegionMapd(MapTransform):
    """From the softmaxes of both networks to maps (1, x, y, z) on the image's own grid.

    The label map takes the place of the prediction, uint8; "regions" (1 UC, 2 US, 3 DC, 4 DS; uint8), "uncertainty"
    (0..1, float32) and, with an `error_model`, "error_probability" (float32) come to it.

    thresholds, values, definition: as in `TrainedModel`. error_model: path of its weights.
    """

    def __init__(
        self,
        keys: Any,
        plan: Mapping[str, Any],
        thresholds: Sequence[Any],
        values: Sequence[int],
        definition: str,
        error_model: str | None = None,
        image_key: str = "image",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self._plan, self._image_key = Plan.from_json(plan), image_key
        self._labelling = list(values), torch.tensor(thresholds, dtype=torch.float32), definition
        self._errors = None if error_model is None else self._learnt(error_model)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        image = result[self._image_key]
        geometry = _geometry_of(image)
        transform: GridTransform | GivenGrid
        if self._plan.given is None:
            transform = GridTransform.of(geometry, self._plan)
        else:
            transform = GivenGrid.of(geometry, self._plan, np.asarray(image.meta[BOX]))
        meta = {**_meta(geometry), ImageMetaKey.FILENAME_OR_OBJ: image.meta.get(ImageMetaKey.FILENAME_OR_OBJ, "image")}
        if "case" in result:
            meta[ImageMetaKey.FILENAME_OR_OBJ] = f"{result['case']}.nii.gz"
        for key in self.key_iterator(result):
            pair = np.asarray(result[key])
            pair = pair.reshape(2, -1, *pair.shape[1:])
            chances = {}
            if self._errors is not None:
                chances["error_probability"] = self._errors.probability(pair, np.asarray(image))
            maps = to_image_grid(pair, transform, *self._labelling, chances=chances)
            if not np.isfinite(maps.uncertainty).all():
                raise MetaSSLError("the model gives numbers that are not finite", ErrorCode.NOT_FINITE)
            result[key] = _image(maps.segmentation, meta)
            result["regions"], result["uncertainty"] = _image(maps.regions, meta), _image(maps.uncertainty, meta)
            if maps.error_probability is not None:
                result["error_probability"] = _image(maps.error_probability, meta)
        return result

    def _learnt(self, path: str) -> ErrorModel:
        model = ErrorModel(self._plan.classes, self._plan.in_channels)
        model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        return model.eval().requires_grad_(False)


class GridWriter(ImageWriter):
    """Writes a map (1, x, y, z) on the image's own grid, whole or not at all."""

    def __init__(self, output_dtype: Any = np.float32, **_options: Any) -> None:
        super().__init__(output_dtype=output_dtype)
        self.output_dtype: Any
        self.data_obj: np.ndarray
        self.geometry: Geometry

    def set_data_array(self, data_array: Any, **_options: Any) -> None:
        array = np.asarray(data_array)[0].transpose(2, 1, 0)
        self.data_obj = np.ascontiguousarray(array, dtype=self.output_dtype)

    def set_metadata(self, meta_dict: Mapping[str, Any] | None, **_options: Any) -> None:
        if meta_dict is None:
            raise ValueError("the map has lost the grid of its image")
        self.geometry = Geometry.of_numbers(np.asarray(meta_dict[GRID]))

    def write(self, filename: Any, verbose: bool = True, **_options: Any) -> None:
        super().write(filename, verbose)
        write_array(Path(filename), self.data_obj, self.geometry)


def _meta(geometry: Geometry) -> dict[str, Any]:
    affine = geometry.ijk_to_ras
    return {
        GRID: geometry.numbers,
        MetaKeys.AFFINE: affine,
        MetaKeys.ORIGINAL_AFFINE: affine,
        MetaKeys.SPATIAL_SHAPE: np.array(geometry.size_xyz),
        MetaKeys.ORIGINAL_CHANNEL_DIM: 0,
        MetaKeys.SPACE: SpaceKeys.RAS,
    }


def _geometry_of(image: MetaTensor) -> Geometry:
    """The image's own grid: as `CaseReader` or `ToPlanGridd` left it, else that of its affine."""
    numbers = image.meta.get(GRID)
    if numbers is not None:
        return Geometry.of_numbers(np.asarray(numbers))
    affine = np.asarray(image.affine, dtype=float)
    if image.meta.get(MetaKeys.SPACE) == SpaceKeys.LPS:
        affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    return Geometry.of_affine(affine, image.shape[1:])


def _image(array: np.ndarray, meta: Mapping[str, Any]) -> MetaTensor:
    moved = np.ascontiguousarray(array.transpose(2, 1, 0)[None])
    return MetaTensor(torch.from_numpy(moved), meta=dict(meta))
