"""What is in a folder of images, and a project made of it."""

from .create import new_project
from .discovery import Discovery, FoundCase, find_cases

__all__ = [
    "Discovery",
    "FoundCase",
    "find_cases",
    "new_project",
]
