"""The conventions by which a folder of images is understood; the code (`metassl.intake`) is loaded when it is used.

To add one: its file in `metassl.intake` and an entry here; or a package of its own, with an entry point of the group
"metassl.importers" that names an ImporterDescription. They are tried in this order, those of other packages first.
"""

from __future__ import annotations

from typing import Any

from .descriptions import ImporterDescription
from .plugins import entry_points_of, load

_OURS = (
    ImporterDescription(
        "decathlon", "Decathlon", "dataset.json that lists images and labels", "metassl.intake.decathlon:find"
    ),
    ImporterDescription(
        "nnunet", "nnU-Net raw", "dataset.json, imagesTr, labelsTr; or the folder above", "metassl.intake.nnunet:find"
    ),
    ImporterDescription(
        "bids", "BIDS", "sub-01/ses-1/anat/sub-01_ses-1_T1w, derivatives with dseg", "metassl.intake.bids:find"
    ),
    ImporterDescription(
        "monai_label", "MONAI Label", "images, labels/final, labels/original", "metassl.intake.monai_label:find"
    ),
    ImporterDescription(
        "structures",
        "one file a structure",
        "case/ct.nii.gz, case/segmentations/liver.nii.gz (TotalSegmentator)",
        "metassl.intake.structures:find",
    ),
    ImporterDescription(
        "pairs", "images and labels", "images/ and labels/ (masks/, segmentations/ ...)", "metassl.intake.pairs:find"
    ),
    ImporterDescription(
        "patients", "a folder per patient", "patient/t1, patient/t2, patient/seg", "metassl.intake.patients:find"
    ),
    ImporterDescription(
        "flat",
        "image files",
        "p1.nrrd with p1-label, p1_seg or p1.seg.nrrd",
        "metassl.intake.flat:find",
    ),
    ImporterDescription("dicom", "DICOM", "series in a tree of folders or in one", "metassl.intake.dicom_tree:find"),
)
IMPORTER_CATALOG: tuple[ImporterDescription, ...] = (*entry_points_of("metassl.importers"), *_OURS)
IMPORTER = "metassl.intake"


def find_cases(*given: Any, **options: Any) -> Any:
    """See `metassl.intake.find_cases`."""
    return load(f"{IMPORTER}:find_cases")(*given, **options)


def new_project(*given: Any, **options: Any) -> Any:
    """See `metassl.intake.new_project`."""
    return load(f"{IMPORTER}:new_project")(*given, **options)
