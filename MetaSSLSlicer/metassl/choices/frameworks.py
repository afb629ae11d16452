"""The frameworks and losses that a training can choose from, in words, and where their code is. Without torch.

A framework is a semi-supervised method that MetaSSL plugs into, or supervised training to compare with. To add one:
its file in `metassl.frameworks` and an entry here; or a package of its own, with an entry point of the group
"metassl.frameworks" that names a FrameworkDescription.
"""

from __future__ import annotations

from .descriptions import FrameworkDescription
from .plugins import entry_points_of

_OURS = (
    FrameworkDescription(
        "cps",
        "Cross Pseudo Supervision",
        "two networks teach each other, on patches pasted into each other",
        "the moving averages of the two networks",
        "Chen et al., Semi-Supervised Semantic Segmentation with Cross Pseudo Supervision, CVPR 2021",
        "metassl.frameworks.cps:CrossPseudoSupervision",
    ),
    FrameworkDescription(
        "mt",
        "Mean Teacher",
        "a network learns to agree with its own moving average",
        "the network and its moving average",
        "Tarvainen and Valpola, Mean teachers are better role models, NeurIPS 2017",
        "metassl.frameworks.mean_teacher:MeanTeacher",
    ),
    FrameworkDescription(
        "uamt",
        "UA-MT",
        "Mean Teacher, only where the teacher's noisy passes are certain",
        "the network and its moving average",
        "Yu et al., Uncertainty-Aware Self-Ensembling Model for Semi-Supervised 3D Left Atrium Segmentation, "
        "MICCAI 2019",
        "metassl.frameworks.uamt:UncertaintyAwareMeanTeacher",
    ),
    FrameworkDescription(
        "fixmatch",
        "FixMatch",
        "the confident labels of a weak view teach a strongly changed view",
        "two dropout passes of the network",
        "Sohn et al., FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence, NeurIPS 2020",
        "metassl.frameworks.fixmatch:FixMatch",
    ),
    FrameworkDescription(
        "cct",
        "Cross-Consistency Training",
        "a second decoder agrees with the first in spite of perturbed features",
        "the two decoders, each with the shared encoder",
        "Ouali et al., Semi-Supervised Semantic Segmentation with Cross-Consistency Training, CVPR 2020",
        "metassl.frameworks.cct:CrossConsistency",
    ),
    FrameworkDescription(
        "rdrop",
        "R-Drop",
        "two dropout passes of one network agree with each other",
        "two dropout passes of the network",
        "Liang et al., R-Drop: Regularized Dropout for Neural Networks, NeurIPS 2021",
        "metassl.frameworks.rdrop:RDrop",
    ),
    FrameworkDescription(
        "bcp",
        "Bidirectional Copy-Paste",
        "Mean Teacher on labelled and unlabelled patches pasted into each other, both ways",
        "the network and its moving average",
        "Bai et al., Bidirectional Copy-Paste for Semi-Supervised Medical Image Segmentation, CVPR 2023",
        "metassl.frameworks.bcp:BidirectionalCopyPaste",
    ),
    FrameworkDescription(
        "supervised",
        "Supervised only",
        "the labelled images alone: what the others have to beat",
        "two moving averages of the network, a long and a short one: neither is the raw network",
        "Cicek et al., 3D U-Net: Learning Dense Volumetric Segmentation from Sparse Annotation, MICCAI 2016",
        "metassl.frameworks.supervised:Supervised",
    ),
)
FRAMEWORK_CATALOG: tuple[FrameworkDescription, ...] = (*_OURS, *entry_points_of("metassl.frameworks"))
FRAMEWORKS = tuple(framework.name for framework in FRAMEWORK_CATALOG)
SEMI_SUPERVISED = tuple(name for name in FRAMEWORKS if name != "supervised")
LOSSES = ("metassl", "plain")


def describe_framework(name: str) -> FrameworkDescription:
    """The entry called `name`; KeyError if there is none."""
    return {framework.name: framework for framework in FRAMEWORK_CATALOG}[name]
