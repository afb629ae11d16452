"""The conventions by which a folder of images is understood; the code (`metassl.intake`) is loaded when it is used.

To add one: its file in `metassl.intake.layouts` and an entry here; or a package of its own, with an entry point of the
group "metassl.importers" that names an ImporterDescription. They are tried in this order, other packages' first.
"""

from __future__ import annotations

from typing import Any

from .descriptions import ImporterDescription
from .plugins import entry_points_of, load

_LAYOUT = "metassl.intake.layouts.{}:find"
_OURS = (
    ImporterDescription(
        "decathlon", "Decathlon", "dataset.json that lists images and labels", _LAYOUT.format("decathlon")
    ),
    ImporterDescription(
        "nnunet",
        "nnU-Net raw",
        "dataset.json, imagesTr, labelsTr; or the folder above",
        _LAYOUT.format("nnunet"),
    ),
    ImporterDescription(
        "bids", "BIDS", "sub-01/ses-1/anat/sub-01_ses-1_T1w, derivatives with dseg", _LAYOUT.format("bids")
    ),
    ImporterDescription(
        "monai_label", "MONAI Label", "images, labels/final, labels/original", _LAYOUT.format("monai_label")
    ),
    ImporterDescription(
        "structures",
        "one file a structure",
        "case/ct.nii.gz, case/segmentations/liver.nii.gz (TotalSegmentator)",
        _LAYOUT.format("structures"),
    ),
    ImporterDescription(
        "pairs",
        "images and labels",
        "images/ and labels/ (masks/, segmentations/ ...)",
        _LAYOUT.format("pairs"),
    ),
    ImporterDescription(
        "patients",
        "a folder per patient",
        "patient/t1, patient/t2, patient/seg",
        _LAYOUT.format("patients"),
    ),
    ImporterDescription(
        "flat",
        "image files",
        "p1.nrrd with p1-label, p1_seg or p1.seg.nrrd",
        _LAYOUT.format("flat"),
    ),
    ImporterDescription("dicom", "DICOM", "series in a tree of folders or in one", _LAYOUT.format("dicom_tree")),
)
IMPORTER_CATALOG: tuple[ImporterDescription, ...] = (*entry_points_of("metassl.importers"), *_OURS)
IMPORTER = "metassl.intake"


def find_cases(*given: Any, **options: Any) -> Any:
    """See `metassl.intake.find_cases`."""
    return load(f"{IMPORTER}:find_cases")(*given, **options)


def new_project(*given: Any, **options: Any) -> Any:
    """See `metassl.intake.new_project`."""
    return load(f"{IMPORTER}:new_project")(*given, **options)
