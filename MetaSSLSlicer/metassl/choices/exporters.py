"""Ways to give labels, predictions and the model to other programs; their code is loaded when it is used.

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

_OURS = (
    ExporterDescription(
        "nifti",
        "NIfTI files and tables",
        "metassl.exports.nifti:write",
        summary="labels/CASE.nii.gz, predictions/CASE.nii.gz, tables, and labels.txt for ITK-SNAP",
    ),
    ExporterDescription(
        "nnunet",
        "a data set of nnU-Net v2",
        "metassl.exports.nnunet:write",
        takes=("labels",),
        summary="DatasetNNN_NAME with imagesTr, labelsTr, imagesTs, dataset.json",
    ),
    ExporterDescription(
        "seg-nrrd",
        "segmentations of Slicer",
        "metassl.exports.seg_nrrd:write",
        summary="labels/CASE.seg.nrrd, predictions/CASE.seg.nrrd, with names, colours and terminology",
    ),
    ExporterDescription(
        "dicom-seg",
        "DICOM segmentations (SEG)",
        "metassl.exports.dicom_seg:write",
        summary="labels/CASE.dcm, predictions/CASE.dcm, uncertainty/CASE.dcm, of cases whose image is DICOM",
        engine=True,
        terms=True,
    ),
    ExporterDescription(
        "bundle",
        "a MONAI bundle of the model",
        "metassl.exports.bundle:write",
        takes=(),
        summary="the model that predicts, for MONAI and for `metassl predict`",
        engine=True,
    ),
    ExporterDescription(
        "measurements",
        "A table of volumes",
        "metassl.exports.measurements:write",
        summary="measurements.csv: the volume of each structure, with the range that the uncertainty leaves",
    ),
)
EXPORTER_CATALOG: tuple[ExporterDescription, ...] = (*_OURS, *entry_points_of("metassl.exporters"))
EXPORTERS = {each.name: each for each in EXPORTER_CATALOG}
"""{format: its description}"""

WHAT = ("labels", "predictions")

Report = Callable[[int, int, str], None]


@dataclass
class Exported:
    """What came of an export: the ids of the written cases, why others failed, and what else is to be told.

    notes: sentences on what is not as it is in the project. made: what was written where that is no case ("a bundle of
    the model of round 2").
    """

    folder: Path
    labels: list[str] = field(default_factory=list)
    predictions: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    made: str = ""

    def to_json(self) -> dict[str, Any]:
        """The result as a JSON object."""
        return asdict(self)


def export_project(*given: Any, **options: Any) -> Exported:
    """See `metassl.exports.export_project`, which is loaded when it is called."""
    made: Exported = load("metassl.exports:export_project")(*given, **options)
    return made
