"""The project folder: the only thing that Slicer, the command line and the engine share."""

from .cases import LABELLED_STATES, SPLITS, STATES, Case, check_case_id, make_case_id
from .create import new_project
from .discovery import Discovery, FoundCase, find_cases
from .errors import BusyError, ChangedError, ImageError, LabelError, MetaSSLError, ProjectError
from .filelock import file_lock
from .files import atomic_write, read_json, sha256_of, write_json, write_text
from .geometry import Geometry
from .images import IGNORE, CaseImage, read_geometry, read_image, read_labels, read_volume
from .labels import LabelDefinition, parse_labels
from .project import Project
from .rounds import PredictionPaths, Round
from .writer import write_array

__all__ = [
    "IGNORE",
    "LABELLED_STATES",
    "SPLITS",
    "STATES",
    "BusyError",
    "Case",
    "CaseImage",
    "ChangedError",
    "Discovery",
    "FoundCase",
    "Geometry",
    "ImageError",
    "LabelDefinition",
    "LabelError",
    "MetaSSLError",
    "PredictionPaths",
    "Project",
    "ProjectError",
    "Round",
    "atomic_write",
    "check_case_id",
    "file_lock",
    "find_cases",
    "make_case_id",
    "new_project",
    "parse_labels",
    "read_geometry",
    "read_image",
    "read_json",
    "read_labels",
    "read_volume",
    "sha256_of",
    "write_array",
    "write_json",
    "write_text",
]
