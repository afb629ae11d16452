"""What a header claims: a file that cannot hold it, or a grid that cannot be, is refused before ITK reads it."""

from __future__ import annotations

import gzip
import os
import struct

import numpy as np
import pytest
import SimpleITK as sitk
from metassl.files import ImageError
from metassl.imaging import Geometry, read_geometry, read_image, write_array
from metassl.imaging.headers import MAX_VOXELS, impossible

SHAPE = (6, 7, 8)
LARGE_SCAN = (512, 512, 1500)
CLAIMS = {"100 GB": (4096, 4096, 3000), "2 GB": (1000, 1000, 1000)}
FILE_BYTES = 10_000
SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha")
NRRD = """NRRD0004
type: short
dimension: 3
space: left-posterior-superior
sizes: {} {} {}
space directions: (1,0,0) (0,1.25,0) (0,0,2)
space origin: (0,5,9)
encoding: gzip
endian: little

"""
MHA = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = {packed}
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = 0 5 9
ElementSpacing = 1 1.25 2
DimSize = {} {} {}
ElementType = MET_SHORT
ElementDataFile = LOCAL
"""


def sound_nifti(tmp_path) -> bytearray:
    image = sitk.GetImageFromArray(np.random.default_rng(5).integers(0, 200, SHAPE).astype(np.int16))
    image.SetSpacing((1.0, 1.25, 2.0))
    sitk.WriteImage(image, str(tmp_path / "sound.nii"))
    return bytearray((tmp_path / "sound.nii").read_bytes())


def head(tmp_path, suffix, size, packed=True) -> bytes:
    if suffix == ".nrrd":
        return NRRD.format(*size).encode()
    if suffix == ".mha":
        return MHA.format(*size, packed=packed).encode()
    header = sound_nifti(tmp_path)[:352]
    struct.pack_into("<8h", header, 40, 3, *size, 1, 1, 1, 1)
    return bytes(header)


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_ten_kilobytes_that_claim_gigabytes_are_refused_before_they_are_read(tmp_path, suffix, claim):
    start = head(tmp_path, suffix, CLAIMS[claim])
    noise = np.random.default_rng(0).bytes(FILE_BYTES - 1000)
    body = gzip.compress(noise) if suffix == ".nrrd" else noise
    path = tmp_path / f"a{suffix}"
    path.write_bytes(gzip.compress(start + noise) if suffix == ".nii.gz" else start + body)
    for read in (lambda: read_geometry(path, "a"), lambda: read_image([path], "a")):
        with pytest.raises(ImageError, match="header claims") as caught:
            read()
        assert "x".join(map(str, CLAIMS[claim])) in str(caught.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_header_of_a_large_scan_passes(tmp_path, suffix):
    """512 x 512 x 1500 of 16 bits: 786 MB of voxels as they are, here a hole on the disk; or 300 MB compressed."""
    path = tmp_path / f"large{suffix}"
    start = head(tmp_path, suffix, LARGE_SCAN, packed=False)
    if suffix == ".nrrd":
        start = start.replace(b"gzip", b"raw")
    path.write_bytes(gzip.compress(start + bytes(1 << 16)) if suffix == ".nii.gz" else start)
    os.truncate(path, len(start) + (300 << 20 if suffix == ".nii.gz" else int(np.prod(LARGE_SCAN)) * 2))
    assert read_geometry(path, "large").size_xyz == LARGE_SCAN
    assert not impossible(LARGE_SCAN, 4, 300 << 20)
    assert impossible((2048, 2048, 513), 1, MAX_VOXELS * 2)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_an_honest_image_that_packs_as_well_as_any_can_passes(tmp_path, suffix):
    shape = (160, 256, 256)
    path = tmp_path / f"empty{suffix}"
    grid = Geometry(shape[::-1], (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    write_array(path, np.zeros(shape, np.uint8), grid)
    assert np.prod(shape) / path.stat().st_size > 950
    assert read_geometry(path, "empty").shape_zyx == shape


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 3e38])
@pytest.mark.parametrize("offset", [80, 256, 268, 280, 324])
def test_a_grid_of_impossible_numbers_is_refused_before_itk_searches_for_its_axes(tmp_path, offset, value):
    """Fields: spacing, quaternion, its offset, first and last of the matrix. ITK would not come back."""
    data = sound_nifti(tmp_path)
    struct.pack_into("<2h", data, 252, 1, 1)
    struct.pack_into("<f", data, offset, value)
    (tmp_path / "a.nii").write_bytes(data)
    with pytest.raises(ImageError, match="impossible grid|no spacing"):
        read_geometry(tmp_path / "a.nii", "a")


def test_numbers_of_a_grid_that_is_not_used_do_not_matter(tmp_path):
    data = sound_nifti(tmp_path)
    struct.pack_into("<2h", data, 252, 0, 1)
    struct.pack_into("<6f", data, 256, *[float("nan")] * 6)
    (tmp_path / "a.nii").write_bytes(data)
    assert read_geometry(tmp_path / "a.nii", "a").shape_zyx == SHAPE


@pytest.mark.parametrize("listed", [b"LIST\nslice1\nslice2\n", b"slice%d 1 2 1\n"])
def test_an_image_in_several_files_is_read(tmp_path, listed):
    start = head(tmp_path, ".mha", (8, 7, 2), packed=False).replace(b"LOCAL\n", listed)
    (tmp_path / "a.mhd").write_bytes(start)
    voxels = np.arange(112, dtype=np.int16).reshape(2, 7, 8)
    for number, plane in enumerate(voxels, start=1):
        (tmp_path / f"slice{number}").write_bytes(plane.tobytes())
    assert np.array_equal(read_image([tmp_path / "a.mhd"], "a").array[0], voxels)


def test_a_nrrd_whose_compressed_voxels_are_none_is_refused(tmp_path):
    (tmp_path / "a.nrrd").write_bytes(head(tmp_path, ".nrrd", SHAPE[::-1]) + bytes(range(256)) * 3)
    with pytest.raises(ImageError, match="tells of compressed voxels"):
        read_image([tmp_path / "a.nrrd"], "a")
