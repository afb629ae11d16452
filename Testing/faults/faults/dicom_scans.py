"""DICOM series of a bright ball, with all that a scanner writes about the patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from metassl.imaging import read_geometry, write_array

SHAPE = (20, 24, 24)
PATIENT = {
    "0010|0010": "Featherstonehaugh^Zebediah",
    "0010|0020": "PID7391846",
    "0010|0030": "19470823",
    "0010|1040": "Quillfeather Lane 12",
    "0008|0050": "ACC5528193",
    "0008|0080": "Saint Wulfstan Infirmary",
    "0008|0090": "Hollingsworth^Persephone",
    "0008|1030": "STUDYDESC Wexcombe",
}
"""Name, ID, birth date, address, accession number, institution, referring physician, study description."""


def private_words() -> set[str]:
    """What must not be found anywhere: the values, and the parts of the names."""
    return {*PATIENT.values(), *(part for value in PATIENT.values() for part in value.split("^"))}


def ball(number: int) -> np.ndarray:
    """Where the structure is: bool (z, y, x)."""
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    return (z - 10) ** 2 + (y - 11 - number) ** 2 + (x - 12) ** 2 < 36


def write_series(folder: Path, number: int) -> None:
    """One file a slice, all of one series and one patient."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(number).normal(100, 12, SHAPE)
    image = sitk.GetImageFromArray((noise + 80 * ball(number)).astype(np.int16))
    image.SetSpacing((1.0, 1.0, 1.5))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    uid = f"1.2.826.0.1.3680043.2.1125.{number + 1}"
    for index in range(SHAPE[0]):
        piece = image[:, :, index]
        own = {"0020|0013": str(index), "0020|0032": f"0\\0\\{1.5 * index}", "0008|0018": f"{uid}.{index + 1}"}
        shared = {"0008|0060": "MR", "0020|000d": f"{uid}.1000", "0020|000e": f"{uid}.1001"}
        place = {"0020|0037": "1\\0\\0\\0\\1\\0", "0018|0050": "1.5", "0020|0012": "1"}
        for key, value in {**PATIENT, **shared, **place, **own}.items():
            piece.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"slice_{index:02}.dcm"))
        writer.Execute(piece)


def write_label(path: Path, series: Path, number: int) -> None:
    """An annotation of the series as another program would export it."""
    write_array(path, ball(number).astype(np.uint8), read_geometry(series, series.name))
