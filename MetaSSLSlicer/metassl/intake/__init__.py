"""What is in a folder of images, and a project made of it: one file for each convention."""

from .create import new_project
from .discovery import find_cases
from .found import Discovery, FoundCase
from .scan import Scan
from .table import write as write_table
from .tree import Tree

__all__ = [
    "Discovery",
    "FoundCase",
    "Scan",
    "Tree",
    "find_cases",
    "new_project",
    "write_table",
]
