"""The conventions by which a folder of images is understood; the code (`metassl.intake`) is loaded when it is used.

To add one: its file in `metassl.intake.layouts` and an entry here; or a package of its own, with an entry point of the
group "metassl.importers" that names an ImporterDescription. They are tried in this order, other packages' first.
"""

from __future__ import annotations

from collections.abc import Callable
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
start_model = _in_intake("StartModel.at")
new_cases = _in_intake("new_cases")
add_cases = _in_intake("add_cases")
labels_for = _in_intake("labels_for")
add_labels = _in_intake("add_labels")
