"""The project folder: the only thing that Slicer, the command line and the engine share."""

from .cases import LABELLED_STATES, SPLITS, STATES, Case, check_case_id, make_case_id
from .project import Project
from .rounds import PredictionPaths, Round
from .structures import LabelDefinition, parse_labels

__all__ = [
    "Case",
    "LABELLED_STATES",
    "LabelDefinition",
    "PredictionPaths",
    "Project",
    "Round",
    "SPLITS",
    "STATES",
    "check_case_id",
    "make_case_id",
    "parse_labels",
]
