"""The ways of choosing the next case, in words: for the command line and the panel, without torch.

Their code is in `metassl.selection`, one file each; a test keeps the two in step.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

DEFAULT_STRATEGY = "combined"


@dataclass(frozen=True)
class StrategyDescription:
    """name: as `--strategy` takes it. summary: which cases come first, in one line."""

    name: str
    summary: str
    citation: str = ""

    def to_json(self) -> dict[str, str]:
        return asdict(self)


STRATEGY_CATALOG = (
    StrategyDescription("combined", "discrepancy, but cases that differ from each other and from the labelled ones"),
    StrategyDescription("discrepancy", "most errors to be expected per minute of annotation, every structure alike"),
    StrategyDescription(
        "diversity",
        "least like the cases that are labelled",
        "Sener and Savarese, Active Learning for Convolutional Neural Networks: A Core-Set Approach, ICLR 2018",
    ),
    StrategyDescription(
        "clasp_pe",
        "most uncertain about one structure after the other, with chance in the first rounds",
        "Lüth et al., Finally Outshining the Random Baseline, TMLR 2026, arXiv:2601.13677",
    ),
    StrategyDescription("entropy", "most uncertain in and round the structures"),
    StrategyDescription(
        "foreground_random",
        "at random among the cases that show a structure drawn at random",
        "Lüth et al., nnActive: A Framework for Evaluation of Active Learning in 3D Biomedical Segmentation, "
        "arXiv:2511.19183",
    ),
    StrategyDescription("random", "at random"),
)
STRATEGY_NAMES = tuple(strategy.name for strategy in STRATEGY_CATALOG)
