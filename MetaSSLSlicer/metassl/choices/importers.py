"""The conventions by which a folder of images is understood; the code (`metassl.intake`) is loaded when it is used.

To add one: its file in `metassl.intake` and an entry here; or a package of its own, with an entry point of the group
"metassl.importers" that names an ImporterDescription. They are tried in this order, those of other packages first.
"""

from __future__ import annotations

from collections.abc import Callable
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


def _in_intake(name: str) -> Callable[..., Any]:
    def call(*given: Any, **options: Any) -> Any:
        return load(f"{IMPORTER}:{name}")(*given, **options)

    call.__doc__ = f"See `metassl.intake.{name}`, which is loaded when it is called."
    return call


find_cases = _in_intake("find_cases")
scan = _in_intake("Scan.of")
labels_in = _in_intake("labels_in")
structures_in = _in_intake("structures_in")
to_measure = _in_intake("to_measure")
told_of_names = _in_intake("told_of_names")
new_project = _in_intake("new_project")
new_cases = _in_intake("new_cases")
add_cases = _in_intake("add_cases")
labels_for = _in_intake("labels_for")
add_labels = _in_intake("add_labels")
