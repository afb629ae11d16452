"""The plan of a round: how images are brought to the network, and what network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, replace
from typing import Any

from metassl.choices.quality import DEFAULT_QUALITY, QUALITIES
from metassl.data.budget import (
    BUDGETS,
    LEAST_PATCH,
    MAX_IMAGE_PATCHES,
    Budget,
    affordable_voxels,
    choose_precision,
    device_type,
)
from metassl.data.given import Given
from metassl.data.orientation import thick_slices
from metassl.data.topology import FEW_SLICES, Triple, plan_patch
from metassl.files.errors import ProjectError
from metassl.imaging.geometry import triple

MOST_COARSENED = 2.0
"""The planes of a stack are coarsened this many times at most to see more of it, and never so far that it is none."""

MOST_SLICES = 12
"""Per half of a batch, as in the authors' 2-D trainings."""
LEAST_ACROSS = 4
"""Images start no coarser than so many voxels across the thinnest structure."""

_DAMAGED = "the plan is damaged: "

Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class Plan:
    """Everything that preprocessing, training and prediction must agree on.

    Arrays and spacings (mm) are in the order of the grid: (z, y, x) = (S, P, L) for "patient"
    axes, (through plane, rows, columns as stored) for "stack" axes.
    """

    axes: str
    spacing_zyx: tuple[float, float, float]
    source_spacing_zyx: tuple[float, float, float]
    """The median spacing of the images; finer than `spacing_zyx` where the device needs it."""
    patch_zyx: Triple
    batch: tuple[int, int]
    """Labelled and unlabelled patches of a step."""
    intensity: tuple[Mapping[str, Any], ...]
    """One scheme per channel: a key of SCHEMES under "scheme", and its numbers."""
    filters: tuple[int, ...]
    kernels: tuple[Triple, ...]
    strides: tuple[Triple, ...]
    in_channels: int
    classes: int
    """Network outputs, background included."""
    precision: str
    device: str = ""
    """The kind of device that the network is sized for; "" in plans of early versions and of models from elsewhere."""
    quality: str = ""
    """A key of QUALITIES; "" in plans of early versions and of models from elsewhere."""
    given: Given | None = None
    """What is taken over from a model of another program."""

    def __post_init__(self) -> None:
        problem = problem_of(self)
        if problem:
            raise ProjectError(f"{_DAMAGED}{problem}; train a new round")

    @property
    def is_flat(self) -> bool:
        """A patch is one slice: slices are learnt and predicted one by one."""
        return self.patch_zyx[0] == 1

    @property
    def is_stack(self) -> bool:
        """Slices (along z) much thicker than their pixels, or few: turn and bend them in the plane only."""
        return thick_slices(self.spacing_zyx) or self.patch_zyx[0] < FEW_SLICES

    def on_grid(self, voxels: int) -> Triple:
        """A distance in voxels of the images, in voxels of the grid along each axis: one at least."""
        steps = zip(self.source_spacing_zyx, self.spacing_zyx, strict=True)
        return triple(max(1, round(voxels * source / grid)) for source, grid in steps)

    @property
    def total_stride(self) -> Triple:
        """Input sizes must be multiples of this."""
        return triple(math.prod(stride[axis] for stride in self.strides) for axis in range(3))

    def preprocessing(self) -> dict[str, Any]:
        """The part that changes what `to_grid` returns: for cache keys."""
        return {
            "axes": self.axes,
            "spacing_zyx": list(self.spacing_zyx),
            "intensity": [dict(scheme) for scheme in self.intensity],
            **({} if self.given is None else {"given": self.given.preprocessing()}),
        }

    def to_json(self) -> dict[str, Any]:
        """Plain lists and numbers; `from_json` gives back an equal plan."""
        content: dict[str, Any] = _plain(asdict(self))
        return content

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Plan:
        """Rebuild a plan. Raises ProjectError, naming the field, when something is not right."""
        fields = Plan.__dataclass_fields__
        missing = [name for name, field in fields.items() if name not in content and field.default is MISSING]
        if missing:
            raise ProjectError(f"{_DAMAGED}it lacks {', '.join(missing)}; train a new round")
        values = {name: _frozen(content[name]) for name in fields if name in content}
        try:
            values["given"] = None if content.get("given") is None else Given.of_json(content["given"])
        except (TypeError, KeyError, AttributeError) as error:
            raise ProjectError(f"{_DAMAGED}given has the wrong form ({error}); train a new round") from error
        return Plan(**values)

    def has_network_of(self, other: Plan) -> bool:
        """Whether the weights of one fit into the network of the other."""
        names = ("filters", "kernels", "strides", "in_channels", "classes")
        given = [None if plan.given is None else plan.given.network() for plan in (self, other)]
        return given[0] == given[1] and all(getattr(self, name) == getattr(other, name) for name in names)

    def suits(self, device: str, quality: str) -> bool:
        """Whether it was made for that quality, and for a device of that kind: on a CPU networks are far smaller."""
        same_kind = not self.device or (self.device == "cpu") == (device == "cpu")
        return same_kind and self.quality in ("", quality)

    def is_of(self, kind: str) -> bool:
        """Whether it may go on where this kind (one of PLANS) is asked for."""
        return kind == "auto" or self.is_flat == (kind == "2d")

    def on_device(self, device: str) -> Plan:
        """The plan for a device that it suits: its precision and, of a model from elsewhere, its batch."""
        plan = replace(self, precision=choose_precision(device))
        images = min(2, BUDGETS[device_type(device)].max_images)
        return plan if self.given is None else replace(plan, batch=(images, images))

    def describe(self) -> str:
        """One line for people; sizes are given as x by y by z, as viewers show them."""
        spacing = f"{by(self.spacing_zyx)} mm"
        if self.spacing_zyx != self.source_spacing_zyx:
            spacing += f" (images: {by(self.source_spacing_zyx)} mm)"
        intensity = [SCHEME_WORDS[item["scheme"]].format(**item) for item in self.intensity]
        intensity = intensity[:1] if len(set(intensity)) == 1 else intensity
        flat = sum(kernel.count(1) > 0 for kernel in self.kernels)
        network = f"{len(self.filters)} levels of {self.filters[0]} to {max(self.filters)} filters"
        return " · ".join(
            [
                spacing,
                f"patch {by(self.patch_zyx)}",
                f"batch {self.batch[0]} labelled + {self.batch[1]} unlabelled",
                " / ".join(intensity),
                network + (f", {flat} of them flat" if flat else ""),
                self.precision,
            ]
        )


def make_plan(
    fingerprint: Mapping[str, Any],
    num_classes: int,
    device: str,
    memory_bytes: int,
    quality: str = DEFAULT_QUALITY,
    kind: str = "auto",
) -> Plan:
    """The plan for the images of `fingerprint` on "cpu", "cuda" or "mps" (an index may follow).

    `num_classes` counts the background; `memory_bytes` is what the device has free; quality: a key of QUALITIES; kind:
    one of PLANS; "auto" is slices on a CPU where they are thick, which learnt more in the same time there
    (docs/ABLATION.md), else volumes. The same inputs on the same machine give the same plan.
    """
    budget, precision = BUDGETS[device_type(device)], choose_precision(device)
    source = triple(float(s) for s in fingerprint["median_spacing_zyx"])
    extent = [n * s for n, s in zip(fingerprint["median_shape_zyx"], source, strict=True)]
    if kind == "2d" or (kind == "auto" and device_type(device) == "cpu" and thick_slices(source)):
        spacing = source[0], *_coarsened(source, [0.0, *extent[1:]], budget.slice_voxels, MOST_COARSENED)[1:]
        shape = [1.0, *(mm / s for mm, s in zip(extent[1:], spacing[1:], strict=True))]
        affordable = affordable_voxels(memory_bytes, budget, precision, 4)
        topology = plan_patch(shape, spacing, min(budget.slice_voxels, affordable))
        images = _slices(topology.voxels, budget, precision, memory_bytes)
    else:
        spacing = _spacing(source, extent, fingerprint, budget, quality)
        if (
            QUALITIES[quality].large_network
            and _spacing(source, extent, fingerprint, budget, DEFAULT_QUALITY) == source
        ):
            budget = budget.with_large_network
        most, images = _most_voxels(budget, spacing), 2
        if affordable_voxels(memory_bytes, budget, precision, 4) < min(most, LEAST_PATCH):
            images = 1
        voxels = min(most, affordable_voxels(memory_bytes, budget, precision, 2 * images))
        shape = [mm / s for mm, s in zip(extent, spacing, strict=True)]
        topology = plan_patch(shape, spacing, voxels)
        images = _images(images, topology.voxels, budget, precision, memory_bytes)
    channels = fingerprint["channels"]
    filters = [min(budget.max_filters, budget.first_filters * 2**n) for n in range(len(topology.kernels))]
    left_out = int(budget.pools_first and len(filters) > FEWEST_LEVELS)
    return Plan(
        axes=fingerprint["axes"],
        spacing_zyx=spacing,
        source_spacing_zyx=source,
        patch_zyx=topology.patch_zyx,
        batch=(images, images),
        intensity=tuple(_intensity(channel) for channel in channels),
        filters=tuple(filters[left_out:]),
        kernels=topology.kernels[left_out:],
        strides=topology.strides[left_out:],
        in_channels=len(channels),
        classes=int(num_classes),
        precision=precision,
        device=device_type(device),
        quality=quality,
    )


def _spacing(
    source: Spacing, extent: Sequence[float], fingerprint: Mapping[str, Any], budget: Budget, quality: str
) -> Spacing:
    """Of the grid of volumes: that of the images, coarser where the device needs it."""
    spacing = _coarsened(source, extent, _most_voxels(budget, source) * MAX_IMAGE_PATCHES)
    if thick_slices(spacing) and min(fingerprint["median_shape_zyx"]) > 1:  # one slice has no thickness
        return _coarsened(spacing, extent, budget.stack_image, MOST_COARSENED, thick_slices)
    if not budget.starts_coarse:
        return spacing
    patches, thinnest = QUALITIES[quality].image_patches, fingerprint.get("thinnest_mm") or math.inf
    return _coarsened(spacing, extent, budget.voxels * patches, allowed=lambda mm: min(mm) * LEAST_ACROSS <= thinnest)


def _most_voxels(budget: Budget, spacing: tuple[float, ...]) -> int:
    return budget.stack_voxels if thick_slices(spacing) else budget.voxels


def _coarsened(
    spacing: Spacing,
    extent: Sequence[float],
    max_voxels: float,
    most: float = math.inf,
    allowed: Callable[[Spacing], bool] = lambda spacing: True,
) -> Spacing:
    """The spacing, its finest axes coarsened until the image has at most `max_voxels`.

    At most so many times, and no further than to an allowed spacing.
    """
    best, times = spacing, 1.0
    while math.prod(max(1.0, mm / s) for mm, s in zip(extent, best, strict=True)) > max_voxels:
        times *= 1.01
        finest = float(f"{times * min(spacing):.4g}")
        coarse = triple(max(s, finest) for s in spacing)
        if times > most or not allowed(coarse):
            break
        best = coarse
    return best


def _images(images: int, voxels: int, budget: Budget, precision: str, memory_bytes: int) -> int:
    """`images` per half (one on a CPU: many small steps learn faster there), more on an idle device."""
    images = min(images, budget.max_images)
    while (
        2 * images <= budget.max_images
        and 2 * images * voxels <= budget.voxels
        and voxels <= affordable_voxels(memory_bytes, budget, precision, 4 * images)
    ):
        images *= 2
    return images


def _slices(voxels: int, budget: Budget, precision: str, memory_bytes: int) -> int:
    """As many per half as a stack would have in its one patch: a step then takes as long."""
    wanted = round(min(budget.stack_image, budget.stack_voxels) / voxels)
    fitting = affordable_voxels(memory_bytes, budget, precision, 4) // voxels
    return max(1, min(wanted, fitting, MOST_SLICES))


def _intensity(channel: Mapping[str, Any]) -> dict[str, Any]:
    if not channel["is_ct"]:
        return {"scheme": "robust_zscore"}
    window = channel["foreground"]
    return {"scheme": "ct_window", **{key: float(window[key]) for key in SCHEMES["ct_window"]}}


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, (list, tuple)) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def by(numbers: tuple, form: str = ".3g") -> str:
    """(z, y, x) as "x x y x z", as viewers show them."""
    return " x ".join(format(number, form) for number in reversed(numbers))


FEWEST_LEVELS = 3
"""Of a DynUNet."""

MOST_LEVELS, MAX_FILTERS = 12, 4096
"""Far beyond what a plan is given: a plan that asks for more is no plan of ours, and could ask for any memory."""

MAX_PATCH_VOXELS, MAX_BATCH = 2**27, 256
"""512 x 512 x 512."""

MAX_CHANNELS, MAX_CLASSES = 256, 255
"""Annotations are uint8, and 255 means not annotated."""

PRECISIONS = ("bf16", "fp16", "fp32")
DEVICES = ("", "cpu", "cuda", "mps")
AXES = ("patient", "stack")
SCHEMES = {"robust_zscore": (), "ct_window": ("low", "high", "mean", "std")}
"""The intensity schemes, and the numbers that each needs."""

GIVEN_SCHEMES = {"ct_window": SCHEMES["ct_window"]} | dict.fromkeys(
    ("zscore", "zscore_nonzero", "rescale_01", "rgb_01", "as_stored"), ()
)
"""Those of models from elsewhere."""

SCHEME_WORDS = {
    "robust_zscore": "z-score per case",
    "ct_window": "CT window {low:.0f} to {high:.0f}",
    "zscore": "z-score per case",
    "zscore_nonzero": "z-score of what is not zero",
    "rescale_01": "from 0 to 1 per case",
    "rgb_01": "255 to 1",
    "as_stored": "values as stored",
}


def problem_of(plan: Plan) -> str:
    """What is wrong with a plan, naming the field; '' when nothing is."""

    def three(value: Any, kind: type, least: float) -> bool:
        return isinstance(value, tuple) and len(value) == 3 and all(_number(n, kind) and n >= least for n in value)

    try:
        checks = {
            "axes": plan.axes in AXES,
            "spacing_zyx": three(plan.spacing_zyx, float, 1e-6),
            "source_spacing_zyx": three(plan.source_spacing_zyx, float, 1e-6),
            "patch_zyx": three(plan.patch_zyx, int, 1) and math.prod(plan.patch_zyx) <= MAX_PATCH_VOXELS,
            "batch": len(plan.batch) == 2
            and all(_number(n, int) and n <= MAX_BATCH for n in plan.batch)
            and plan.batch[0] >= 1
            and plan.batch[1] >= 0,
            "filters": FEWEST_LEVELS <= len(plan.filters) <= MOST_LEVELS
            and all(_number(f, int) and 0 < f <= MAX_FILTERS for f in plan.filters),
            "kernels": len(plan.kernels) == len(plan.filters)
            and all(three(k, int, 1) and set(k) <= {1, 3} for k in plan.kernels),
            "strides": len(plan.strides) == len(plan.filters)
            and all(three(s, int, 1) and set(s) <= {1, 2} for s in plan.strides),
            "in_channels": _number(plan.in_channels, int) and 1 <= plan.in_channels <= MAX_CHANNELS,
            "intensity": len(plan.intensity) == plan.in_channels
            and all(
                _scheme_is_right(scheme, SCHEMES if plan.given is None else GIVEN_SCHEMES) for scheme in plan.intensity
            ),
            "classes": _number(plan.classes, int) and 2 <= plan.classes <= MAX_CLASSES,
            "precision": plan.precision in PRECISIONS,
            "device": plan.device in DEVICES,
            "quality": plan.quality in ("", *QUALITIES),
        }
        given = "" if plan.given is None else plan.given.problem(len(plan.filters), plan.classes)
    except (TypeError, KeyError, AttributeError) as error:
        return f"a field has the wrong form ({error})"
    for name, right in checks.items():
        if not right:
            return f"{name} is {getattr(plan, name)!r}"
    if given:
        return given
    if any(p % t for p, t in zip(plan.patch_zyx, plan.total_stride, strict=True)):
        return f"patch_zyx {plan.patch_zyx} is no multiple of the strides {plan.total_stride}"
    return ""


def _number(value: Any, kind: type) -> bool:
    kinds = (int, float) if kind is float else (int,)
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)


def _scheme_is_right(scheme: Mapping[str, Any], schemes: Mapping[str, tuple]) -> bool:
    numbers = schemes[scheme["scheme"]]
    if not all(_number(scheme[name], float) for name in numbers):
        return False
    return not numbers or (scheme["low"] <= scheme["high"] and scheme["std"] > 0)
