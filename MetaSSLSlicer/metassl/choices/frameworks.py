"""The frameworks and losses that a training can choose from, in words, and where their code is. Without torch.

A framework is a semi-supervised method that MetaSSL plugs into, or supervised training to compare with. To add one:
its file in `metassl.frameworks` and an entry here; or a package of its own, with an entry point of the group
"metassl.frameworks" that names a FrameworkDescription.
"""

from __future__ import annotations

from metassl.files.errors import ProjectError

from .descriptions import FrameworkDescription, LossDescription
from .plugins import entry_points_of

LOSS_CATALOG = (
    LossDescription("metassl", "MetaSSL", "the default: every voxel counts by its region, gently"),
    LossDescription("plain", "Plain", "what the framework's authors did with unlabelled images"),
    LossDescription("uniform", "Uniform", "the control: as metassl, but all regions weigh 1"),
    LossDescription(
        "official",
        "Official",
        "the objective of MetaSSL's published scripts (weights, thresholds, a mean per region, ramp), with the slip "
        "about foreground in their 2-D code mended",
    ),
    LossDescription(
        "official-as-published", "Official, as published", "the same, slips and all; in 3-D the scripts lack that slip"
    ),
)
LOSSES = tuple(loss.name for loss in LOSS_CATALOG)
UNIFORM_IS_PLAIN = ("bcp",)
"""Frameworks whose plain loss differs from metassl in the weights alone: with `uniform` the training is the same."""

_SCRIPTS = {"mt": "Mean Teacher", "cps": "Cross Pseudo Supervision", "cct": "Cross-Consistency Training (2-D alone)"}

_OURS = (
    FrameworkDescription(
        "cps",
        "Cross Pseudo Supervision",
        "two networks teach each other, on patches pasted into each other",
        "the moving averages of the two networks",
        "Chen et al., Semi-Supervised Semantic Segmentation with Cross Pseudo Supervision, CVPR 2021",
        "metassl.frameworks.cps:CrossPseudoSupervision",
        LOSSES,
        script="cps",
    ),
    FrameworkDescription(
        "mt",
        "Mean Teacher",
        "a network learns to agree with its own moving average",
        "the network and its moving average",
        "Tarvainen and Valpola, Mean teachers are better role models, NeurIPS 2017",
        "metassl.frameworks.mean_teacher:MeanTeacher",
        LOSSES,
        script="mt",
    ),
    FrameworkDescription(
        "uamt",
        "UA-MT",
        "Mean Teacher, only where the teacher's noisy passes are certain",
        "the network and its moving average",
        "Yu et al., Uncertainty-Aware Self-Ensembling Model for Semi-Supervised 3D Left Atrium Segmentation, "
        "MICCAI 2019",
        "metassl.frameworks.uamt:UncertaintyAwareMeanTeacher",
        LOSSES,
        script="mt",
    ),
    FrameworkDescription(
        "fixmatch",
        "FixMatch",
        "the confident labels of a weak view teach a strongly changed view",
        "two dropout passes of the network",
        "Sohn et al., FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence, NeurIPS 2020",
        "metassl.frameworks.fixmatch:FixMatch",
        LOSSES,
        script="mt",
    ),
    FrameworkDescription(
        "cct",
        "Cross-Consistency Training",
        "a second decoder agrees with the first in spite of perturbed features",
        "the two decoders, each with the shared encoder",
        "Ouali et al., Semi-Supervised Semantic Segmentation with Cross-Consistency Training, CVPR 2020",
        "metassl.frameworks.cct:CrossConsistency",
        LOSSES,
        script="cct",
    ),
    FrameworkDescription(
        "rdrop",
        "R-Drop",
        "two dropout passes of one network agree with each other",
        "two dropout passes of the network",
        "Liang et al., R-Drop: Regularized Dropout for Neural Networks, NeurIPS 2021",
        "metassl.frameworks.rdrop:RDrop",
        LOSSES,
        script="cps",
    ),
    FrameworkDescription(
        "bcp",
        "Bidirectional Copy-Paste",
        "Mean Teacher on labelled and unlabelled patches pasted into each other, both ways",
        "the network and its moving average",
        "Bai et al., Bidirectional Copy-Paste for Semi-Supervised Medical Image Segmentation, CVPR 2023",
        "metassl.frameworks.bcp:BidirectionalCopyPaste",
        LOSSES,
        script="mt",
    ),
    FrameworkDescription(
        "supervised",
        "Supervised only",
        "the labelled images alone: what the others have to beat",
        "two moving averages of the network, a long and a short one: neither is the raw network",
        "Cicek et al., 3D U-Net: Learning Dense Volumetric Segmentation from Sparse Annotation, MICCAI 2016",
        "metassl.frameworks.supervised:Supervised",
        lacks="it makes no second prediction of unlabelled images, by which the official losses part the voxels, and "
        "uniform would be plain",
    ),
)
FRAMEWORK_CATALOG: tuple[FrameworkDescription, ...] = (*_OURS, *entry_points_of("metassl.frameworks"))
FRAMEWORKS = tuple(framework.name for framework in FRAMEWORK_CATALOG)
SEMI_SUPERVISED = tuple(name for name in FRAMEWORKS if name != "supervised")


def describe_framework(name: str) -> FrameworkDescription:
    """The entry called `name`; KeyError if there is none."""
    return {framework.name: framework for framework in FRAMEWORK_CATALOG}[name]


def script_of(framework: str) -> str:
    """Which published script the official losses of a framework follow, in words; "" where it has none."""
    script = describe_framework(framework).script
    if not script:
        return ""
    return f"the script for {_SCRIPTS[script]}{'' if script == framework else ' stands in'}"


def check_choice(framework: str, loss: str) -> None:
    """ProjectError for a framework or a loss that there is not, and for a loss that the framework does not have."""
    if framework not in FRAMEWORKS:
        raise ProjectError(f"there is no framework {framework!r}: choose one of {', '.join(FRAMEWORKS)}")
    if loss not in LOSSES:
        raise ProjectError(f"there is no loss {loss!r}: choose one of {', '.join(LOSSES)}")
    found = describe_framework(framework)
    if loss not in found.losses:
        raise ProjectError(
            f"the framework {framework} has no loss {loss!r} ({found.lacks}): choose {' or '.join(found.losses)}"
        )
