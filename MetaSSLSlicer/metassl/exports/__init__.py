"""Labels, predictions and the model for other programs: one way for all formats, and one file per format."""

from .export import Export as Export
from .export import export_project as export_project
