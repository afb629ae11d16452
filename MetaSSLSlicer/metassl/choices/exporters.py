"""Ways to give labels and predictions to other programs; their code is loaded when it is used.

To add one: its file in `metassl.exports` and an entry here; or a package of its own, with an entry point of the group
"metassl.exporters" that names an ExporterDescription.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .descriptions import ExporterDescription
from .plugins import entry_points_of, load

_OURS = (ExporterDescription("nifti", "NIfTI files and a table", "metassl.exports.nifti:export_project"),)
EXPORTER_CATALOG: tuple[ExporterDescription, ...] = (*_OURS, *entry_points_of("metassl.exporters"))
EXPORTERS = {each.name: each.path for each in EXPORTER_CATALOG}
"""{format: import path}"""

WHAT = ("labels", "predictions")

Report = Callable[[int, int, str], None]


@dataclass
class Exported:
    """What came of an export: the ids of the written cases, and why others failed."""

    folder: Path
    labels: list[str] = field(default_factory=list)
    predictions: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The result as a JSON object."""
        return asdict(self)


def export_project(*given: Any, format: str = "nifti", **options: Any) -> Exported:
    """Write the project in one of EXPORTERS; see `metassl.exports.nifti.export_project`."""
    made: Exported = load(EXPORTERS[format])(*given, **options)
    return made
