"""The ways of choosing the next case, in words, and where their code is. Without torch.

To add one: its file in `metassl.selection` and an entry here; or a package of its own, with an entry point of the
group "metassl.strategies" that names a StrategyDescription.
"""

from __future__ import annotations

from .descriptions import StrategyDescription
from .plugins import entry_points_of

DEFAULT_STRATEGY = "combined"


_OURS = (
    StrategyDescription(
        "combined",
        "most errors to be expected per minute of annotation, in cases unlike each other and the labelled ones",
        path="metassl.selection.combined:Combined",
    ),
    StrategyDescription(
        "discrepancy",
        "most errors to be expected per minute of annotation, every structure alike",
        path="metassl.selection.discrepancy:Discrepancy",
    ),
    StrategyDescription(
        "deep_errors",
        "most errors deeper than the tolerance to be expected per second of work",
        path="metassl.selection.deep_errors:DeepErrors",
    ),
    StrategyDescription(
        "diversity",
        "least like the cases that are labelled",
        "Sener and Savarese, Active Learning for Convolutional Neural Networks: A Core-Set Approach, ICLR 2018",
        path="metassl.selection.diversity:Diversity",
    ),
    StrategyDescription(
        "clasp_pe",
        "most uncertain about one structure after the other, with chance in the first rounds",
        "Lüth et al., Finally Outshining the Random Baseline, TMLR 2026, arXiv:2601.13677",
        path="metassl.selection.clasp_pe:ClaspPE",
    ),
    StrategyDescription(
        "entropy", "most uncertain in and round the structures", path="metassl.selection.entropy:Entropy"
    ),
    StrategyDescription(
        "foreground_random",
        "at random among the cases that show a structure drawn at random",
        "Lüth et al., nnActive: A Framework for Evaluation of Active Learning in 3D Biomedical Segmentation, "
        "arXiv:2511.19183",
        path="metassl.selection.foreground_random:ForegroundRandom",
    ),
    StrategyDescription("random", "at random", path="metassl.selection.random_order:RandomOrder"),
)
STRATEGY_CATALOG: tuple[StrategyDescription, ...] = (*_OURS, *entry_points_of("metassl.strategies"))
STRATEGY_NAMES = tuple(strategy.name for strategy in STRATEGY_CATALOG)
