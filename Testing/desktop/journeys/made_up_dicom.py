"""Runs inside Slicer: made-up DICOM series in a folder, as a scanner exports them, one file a slice."""

import numpy as np
import SimpleITK as sitk

_SHAPE_ZYX, _SPACING = (16, 48, 52), (1.1, 1.1, 3.0)
_CT = "1.2.840.10008.5.1.4.1.1.2"
_ROOT = "1.2.826.0.1.3680043.8.498.77"


def writeSeries(folder, count):
    """`count` patients with one CT series each, with a bright ball."""
    z, y, x = np.ogrid[tuple(slice(0, n) for n in _SHAPE_ZYX)]
    for number in range(count):
        ball = (z - 8) ** 2 * 6 + (y - 22 - number) ** 2 + (x - 26) ** 2 < 150
        noise = np.random.default_rng(number).normal(0, 15, _SHAPE_ZYX)
        array = (noise + 120 * ball).astype(np.int16)
        for slice_ in range(_SHAPE_ZYX[0]):
            _writeSlice(folder / f"patient_{number}" / f"{slice_:03}.dcm", array, number, slice_)


def _writeSlice(path, array, number, slice_):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array[slice_ : slice_ + 1])
    image.SetSpacing(_SPACING)
    study = f"{_ROOT}.{number}"
    tags = {
        "0008|0016": _CT,
        "0008|0018": f"{study}.1.{slice_}",
        "0008|0060": "CT",
        "0008|103e": f"Made up {number}",
        "0010|0010": f"Made^Up{number}",
        "0010|0020": f"MADEUP{number}",
        "0018|0050": str(_SPACING[2]),
        "0020|000d": study,
        "0020|000e": f"{study}.1",
        "0020|0013": str(slice_ + 1),
        "0020|0032": f"-20\\-30\\{slice_ * _SPACING[2]}",
        "0020|0037": "1\\0\\0\\0\\1\\0",
        "0020|0052": f"{study}.2",
    }
    for tag, value in tags.items():
        image.SetMetaData(tag, value)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(path))
    writer.Execute(image)
