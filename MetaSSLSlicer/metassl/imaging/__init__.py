"""Images and annotations as files: grids, readers, writers, NIfTI, NRRD, DICOM, hashes."""

from .annotations import Annotation, read_annotation
from .geometry import Geometry
from .images import IGNORE, CaseImage, read_geometry, read_image, read_labels, read_volume
from .writer import write_array

__all__ = [
    "Annotation",
    "CaseImage",
    "Geometry",
    "IGNORE",
    "read_annotation",
    "read_geometry",
    "read_image",
    "read_labels",
    "read_volume",
    "write_array",
]
