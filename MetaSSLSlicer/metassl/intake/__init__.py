"""What is in a folder of images, and a project made of it: one file for each convention."""

from .add import Added, add_cases, add_labels, labels_for, new_cases
from .create import labels_in, new_project, structures_in, to_measure
from .discovery import find_cases
from .found import Discovery, FoundCase
from .labels import told_of_names
from .scan import Scan
from .start_model import StartModel
from .table import write as write_table
from .tree import Tree

__all__ = [
    "Added",
    "Discovery",
    "FoundCase",
    "Scan",
    "StartModel",
    "Tree",
    "add_cases",
    "add_labels",
    "find_cases",
    "labels_for",
    "labels_in",
    "new_cases",
    "new_project",
    "structures_in",
    "to_measure",
    "told_of_names",
    "write_table",
]
