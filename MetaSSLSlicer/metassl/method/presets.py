"""Every choice of the method in one place, and the published choices by name.

official_*            each published script, with foreground and background told apart correctly
official_*_published  the 2-D scripts exactly as published: UC_foreground repeats UC_background
metassl               the default of this project (METHOD.md, section 8)
uniform               its control: the same with all regions alike
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from .loss import Normalisation
from .terms import UcSplit
from .thresholds import AdaptiveThresholds
from .weights import SCRIPT_WEIGHTS, HalfWeights, RegionWeights, rule_b

FrameworkKind = Literal["mt", "cps", "cct"]
LabelledReference = Literal["annotation", "peer"]
TeacherTerms = Literal["skip", "report", "add"]


@dataclass(frozen=True)
class Preset:
    """All options of the method.

    framework: which predictions learn, and from which. mt: the student from the teacher; cps and cct:
        each network or decoder from the other.
    weights: of the regions, for labelled and unlabelled voxels.
    labelled_reference: labelled voxels are partitioned by the prediction's agreement with the
        "annotation" (the paper's figure), or with the other prediction, "peer" (the scripts).
    normalisation, uc_split, count_offset, region_n_min: see loss.py and terms.py.
    alpha, initial, cap, floor, class_n_min: of the adaptive thresholds; floor None means 1/C.
    float64_state: keep the thresholds in float64; not every device can.
    teacher_terms: the gradient-free terms of mt's teacher: left out, only reported, or added.
    consistency, ramp_length, ramp_step: of lambda(t), in iterations.
    iterations: of the training that the ramp is meant for; one of another length goes through it in proportion.
    """

    name: str
    framework: FrameworkKind
    weights: HalfWeights
    labelled_reference: LabelledReference = "peer"
    normalisation: Normalisation = "region"
    uc_split: UcSplit = "background"
    count_offset: float = 1.0
    region_n_min: int = 0
    alpha: float = 0.5
    initial: float = 0.9
    cap: float = 1.0
    floor: float | None = 0.0
    class_n_min: int = 0
    float64_state: bool = True
    teacher_terms: TeacherTerms = "skip"
    consistency: float = 0.1
    ramp_length: float = 30_000
    ramp_step: float = 150
    iterations: int = 50_000

    def with_options(self, **options: Any) -> Preset:
        """Return a copy with some options changed."""
        return replace(self, **options)

    def thresholds(self, num_classes: int) -> AdaptiveThresholds:
        """The adaptive thresholds of a training, at their initial state."""
        return AdaptiveThresholds(
            num_classes,
            alpha=self.alpha,
            cap=self.cap,
            floor=1.0 / num_classes if self.floor is None else self.floor,
            n_min=self.class_n_min,
            initial=self.initial,
            dtype=torch.float64 if self.float64_state else torch.float32,
        )


MT_2D = Preset("official_mt_2d", "mt", SCRIPT_WEIGHTS["MT_2D"], teacher_terms="add")
CPS_2D = Preset("official_cps_2d", "cps", SCRIPT_WEIGHTS["CPS_2D"], iterations=100_000)
CCT_2D = Preset("official_cct_2d", "cct", SCRIPT_WEIGHTS["CCT_2D"])

# The 3-D scripts hold every mask twice, 2S / (2N + 1) = S / (N + 1/2), and cap the thresholds.
MT_3D = Preset(
    "official_mt_3d",
    "mt",
    SCRIPT_WEIGHTS["MT_3D"],
    teacher_terms="report",
    count_offset=0.5,
    cap=0.9,
)
CPS_3D = Preset("official_cps_3d", "cps", SCRIPT_WEIGHTS["CPS_3D"], count_offset=0.5, cap=0.9)

# Per-voxel weights in the paper's order, the annotation as the labelled reference, and thresholds
# that neither follow single batches nor collapse for rare classes. Weights are relative here, and
# fall as gently for unlabelled voxels as for labelled ones: with the published 0.6 the voxels in
# which two predictions differ count next to nothing, stay different, and a short training suffers.
METASSL = Preset(
    "metassl",
    "mt",
    rule_b(1.0, 1.0, 0.3, 0.3, 3.0, order="paper"),
    labelled_reference="annotation",
    normalisation="global",
    uc_split="none",
    alpha=0.05,
    cap=0.95,
    floor=None,
    class_n_min=16,
    float64_state=False,
    consistency=0.5,
    ramp_step=1,
    iterations=75_000,
)
UNIFORM = METASSL.with_options(name="uniform", weights=HalfWeights(*[RegionWeights(1.0, 1.0, 1.0, 1.0)] * 2))


def _published(preset: Preset) -> Preset:
    return preset.with_options(name=f"{preset.name}_published", uc_split="background_twice")


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        METASSL,
        UNIFORM,
        MT_2D,
        CPS_2D,
        CCT_2D,
        _published(MT_2D),
        _published(CPS_2D),
        _published(CCT_2D),
        MT_3D,
        CPS_3D,
    )
}


def get_preset(name: str) -> Preset:
    """Return the preset called `name`; ValueError lists the names if there is none."""
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; known: {', '.join(PRESETS)}")
    return PRESETS[name]


def official_preset(script: str, dimensions: int, as_published: bool = False) -> Preset:
    """That of the script for "mt", "cps" or "cct" in 2 or 3 dimensions; CCT has a 2-D script alone.

    The 3-D scripts have no slip about foreground, so that theirs is `as_published`, too.
    """
    name = f"official_{script}_{dimensions}d"
    name = name if name in PRESETS else f"official_{script}_2d"
    published = f"{name}_published"
    return get_preset(published if as_published and published in PRESETS else name)
