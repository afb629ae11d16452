"""What is in a folder, and a project made of it; the code (`metassl.intake`) is loaded when it is used."""

from __future__ import annotations

from typing import Any

from .plugins import load

IMPORTER = "metassl.intake"


def find_cases(*given: Any, **options: Any) -> Any:
    """See `metassl.intake.find_cases`."""
    return load(f"{IMPORTER}:find_cases")(*given, **options)


def new_project(*given: Any, **options: Any) -> Any:
    """See `metassl.intake.new_project`."""
    return load(f"{IMPORTER}:new_project")(*given, **options)
