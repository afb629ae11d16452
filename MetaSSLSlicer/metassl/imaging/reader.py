"""ITK's reader for an image file, once its header is known to be one that ITK can be trusted with."""

from __future__ import annotations

import locale
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import SimpleITK as sitk

from . import nifti
from .headers import header_files, impossible

_READERS = {
    (".nii", ".nii.gz"): "NiftiImageIO",
    (".nrrd", ".nhdr"): "NrrdImageIO",
    (".mha", ".mhd"): "MetaImageIO",
}

if os.name == "nt":  # ITK opens a file by its UTF-8 name, which Windows' C library reads in the encoding of the locale
    with suppress(locale.Error):
        locale.setlocale(locale.LC_CTYPE, ".UTF8")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep ITK's warnings off the terminal inside the block."""
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def reader_of(path: Path) -> sitk.ImageFileReader:
    """A reader for the format that the file's name tells, and no other, with the header read.

    Raises ValueError when the header claims more than the file can hold, or cannot be followed; RuntimeError when ITK
    cannot read it.
    """
    told = header_files(path)
    present = sum(each.stat().st_size for each in (path, *told.files))
    if told.announced > present:
        raise ValueError(f"its header announces {told.announced} compressed bytes, and {present} are there")
    if nifti.is_nifti(path):
        _refuse(nifti.problem(path, header_only=True))
    reader = sitk.ImageFileReader()
    name = path.name.lower()
    known = [reader for suffixes, reader in _READERS.items() if name.endswith(suffixes)]
    reader.SetImageIO("".join(known))
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        if nifti.is_nifti(path):  # where a checksum is wrong, ITK sees no NIfTI file
            _refuse(nifti.problem(path))
        raise
    reason = impossible(reader.GetSize(), reader.GetNumberOfComponents(), present if known else None)
    if reason:
        raise ValueError(reason)
    return reader


def _refuse(reason: str) -> None:
    if reason:
        raise ValueError(f"{reason}; copy it again or repair it")
