"""The hosts and losses that a training can choose from, in words: for the command line and the panel, without torch.

A host is a semi-supervised framework that MetaSSL plugs into, or supervised training to compare with. Their code is in
`metassl.hosts`, one file each; a test keeps the two in step.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class HostDescription:
    """name: as `--host` takes it. summary: in one line. pair: whose agreement the region map shows."""

    name: str
    title: str
    summary: str
    pair: str
    citation: str

    def to_json(self) -> dict[str, str]:
        return asdict(self)


HOST_CATALOG = (
    HostDescription(
        "cps",
        "Cross Pseudo Supervision",
        "two networks teach each other, on patches pasted into each other",
        "the moving averages of the two networks",
        "Chen et al., Semi-Supervised Semantic Segmentation with Cross Pseudo Supervision, CVPR 2021",
    ),
    HostDescription(
        "mt",
        "Mean Teacher",
        "a network learns to agree with its own moving average",
        "the network and its moving average",
        "Tarvainen and Valpola, Mean teachers are better role models, NeurIPS 2017",
    ),
    HostDescription(
        "uamt",
        "UA-MT",
        "Mean Teacher, only where the teacher's noisy passes are certain",
        "the network and its moving average",
        "Yu et al., Uncertainty-Aware Self-Ensembling Model for Semi-Supervised 3D Left Atrium Segmentation, "
        "MICCAI 2019",
    ),
    HostDescription(
        "fixmatch",
        "FixMatch",
        "the confident labels of a weak view teach a strongly changed view",
        "two dropout passes of the network",
        "Sohn et al., FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence, NeurIPS 2020",
    ),
    HostDescription(
        "cct",
        "Cross-Consistency Training",
        "a second decoder agrees with the first in spite of perturbed features",
        "the two decoders, each with the shared encoder",
        "Ouali et al., Semi-Supervised Semantic Segmentation with Cross-Consistency Training, CVPR 2020",
    ),
    HostDescription(
        "rdrop",
        "R-Drop",
        "two dropout passes of one network agree with each other",
        "two dropout passes of the network",
        "Liang et al., R-Drop: Regularized Dropout for Neural Networks, NeurIPS 2021",
    ),
    HostDescription(
        "bcp",
        "Bidirectional Copy-Paste",
        "Mean Teacher on labelled and unlabelled patches pasted into each other, both ways",
        "the network and its moving average",
        "Bai et al., Bidirectional Copy-Paste for Semi-Supervised Medical Image Segmentation, CVPR 2023",
    ),
    HostDescription(
        "supervised",
        "Supervised only",
        "the labelled images alone: what the others have to beat",
        "two moving averages of the network, a long and a short one: neither is the raw network",
        "Cicek et al., 3D U-Net: Learning Dense Volumetric Segmentation from Sparse Annotation, MICCAI 2016",
    ),
)
HOSTS = tuple(host.name for host in HOST_CATALOG)
SEMI_SUPERVISED = tuple(name for name in HOSTS if name != "supervised")
LOSSES = ("metassl", "plain")


def describe_host(name: str) -> HostDescription:
    """The entry called `name`; KeyError if there is none."""
    return {host.name: host for host in HOST_CATALOG}[name]
