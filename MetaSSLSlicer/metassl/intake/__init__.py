"""What is in a folder of images, and a project made of it: one file for each convention."""

from .add import Added, add_cases, add_labels
from .create import new_project
from .discovery import find_cases
from .found import Discovery, FoundCase
from .scan import Scan
from .table import write as write_table
from .tree import Tree

__all__ = [
    "Added",
    "Discovery",
    "FoundCase",
    "Scan",
    "Tree",
    "add_cases",
    "add_labels",
    "find_cases",
    "new_project",
    "write_table",
]
