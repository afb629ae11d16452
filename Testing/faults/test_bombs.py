"""Small files that claim to be huge, or become it, are refused before any memory is asked for; honest ones are read.

All hostile ones are read in a child process that may take a gigabyte and two seconds.
"""

import gzip
import io
import os
import struct
import zipfile
from random import Random

import numpy as np
import pytest
from faults import hostile_images
from faults.hostile_checkpoints import sound
from faults.hostile_child import Child
from metassl.imaging import Geometry, read_geometry, read_image, write_array
from metassl.imaging.headers import MAX_VOXELS, impossible
from metassl.imaging.nifti import problem

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


@pytest.fixture(scope="module")
def child():
    with Child() as made:
        yield made


@pytest.fixture
def source(tmp_path):
    hostile_images.neighbours(tmp_path / "images")
    return tmp_path / "images"


def head(suffix, size, packed=True):
    if suffix == ".nrrd":
        return NRRD.format(*size).encode()
    if suffix == ".mha":
        return MHA.format(*size, packed=packed).encode()
    files, _ = hostile_images.seed(".nii", packed=False)
    header = bytearray(next(iter(files.values()))[: hostile_images.NIFTI_BODY])
    struct.pack_into("<8h", header, 40, 3, *size, 1, 1, 1, 1)
    return bytes(header)


def judge(child, source, suffix, data):
    files = {f"{hostile_images.NAME}{suffix}": data}
    return child.judge("hostile_images", source, suffix, files, None, True)


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_ten_kilobytes_that_claim_gigabytes_are_refused_before_they_are_read(child, source, suffix, claim):
    start = head(suffix, CLAIMS[claim])
    noise = Random(0).randbytes(FILE_BYTES - 1000)
    body = gzip.compress(noise) if suffix == ".nrrd" else noise
    data = gzip.compress(start + noise) if suffix == ".nii.gz" else start + body
    assert len(data) < FILE_BYTES
    verdict = judge(child, source, suffix, data)
    assert verdict.fault == "" and "header claims" in verdict.said, verdict
    assert "x".join(map(str, CLAIMS[claim])) in verdict.said


@pytest.mark.parametrize("suffix", SUFFIXES[1:])
def test_what_inflates_without_end_is_read_no_further_than_its_header_says(child, source, suffix):
    """Forty times 50 MB of zeros, packed into 2 MB; the header tells of a small image, or of one far larger."""
    zeros = gzip.compress(bytes(50 << 20)) * 40
    start = head(suffix, hostile_images.SHAPE[::-1])
    data = gzip.compress(start) + zeros if suffix == ".nii.gz" else start + zeros
    assert len(data) < 3 << 20
    verdict = judge(child, source, suffix, data)
    assert verdict.fault == "", verdict
    if suffix == ".nii.gz":
        assert "goes on after" in verdict.said


def test_zeros_that_pad_a_gzip_file_take_no_time(child, source):
    files, _ = hostile_images.seed(".nii.gz", packed=True)
    assert judge(child, source, ".nii.gz", next(iter(files.values())) + bytes(100 << 20)).fault == ""


@pytest.mark.parametrize(("end", "reason"), [(b"abc", "damaged"), (b"\0\0abc", "damaged"), (b"", "")])
def test_what_follows_a_gzip_stream_is_zeros_or_another_one(tmp_path, end, reason):
    files, _ = hostile_images.seed(".nii.gz", packed=True)
    data = gzip.decompress(next(iter(files.values())))
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(data[:400]) + bytes(9) + gzip.compress(data[400:]) + end)
    assert reason in problem(path) and bool(reason) == bool(problem(path))
    path.write_bytes(gzip.compress(data)[:-1])
    assert "truncated" in problem(path)


def test_a_nrrd_whose_compressed_voxels_are_none_is_refused(child, source):
    start = head(".nrrd", hostile_images.SHAPE[::-1])
    verdict = judge(child, source, ".nrrd", start + bytes(range(256)) * 3)
    assert verdict.fault == "" and "tells of compressed voxels" in verdict.said


def packed(entries, packing):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("part", ["model.pt", "last.pt"])
def test_a_zip_bomb_in_a_checkpoint_is_not_unpacked(child, tmp_path, part):
    source = zipfile.ZipFile(io.BytesIO(sound(part)))
    entries = [(name, source.read(name)) for name in source.namelist()]
    large = max(range(len(entries)), key=lambda number: len(entries[number][1]))
    entries[large] = (entries[large][0], bytes(200 << 20))
    bomb = packed(entries, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 20
    verdict = child.judge("hostile_checkpoints", tmp_path / part, part, bomb)
    assert verdict.fault == "" and "its entries are compressed" in verdict.said


def test_entries_that_share_their_bytes_are_not_read_a_thousand_times(child, tmp_path):
    """The directory at the end of the file names one entry again and again, as David Fifield's bomb does."""
    data = packed([("archive/data.pkl", bytes(100_000))], zipfile.ZIP_STORED)
    place = data.index(b"PK\x01\x02")
    directory, end = data[place : data.index(b"PK\x05\x06")], bytearray(data[data.index(b"PK\x05\x06") :])
    struct.pack_into("<HHI", end, 8, 1000, 1000, len(directory) * 1000)
    bomb = data[:place] + directory * 1000 + bytes(end)
    assert len(zipfile.ZipFile(io.BytesIO(bomb)).infolist()) == 1000
    verdict = child.judge("hostile_checkpoints", tmp_path / "model.pt", "model.pt", bomb)
    assert verdict.fault == "" and "claim more bytes than it has" in verdict.said


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_header_of_a_large_scan_passes(tmp_path, suffix):
    """512 x 512 x 1500 of 16 bits: 786 MB of voxels as they are, here a hole on the disk; or 300 MB compressed."""
    path = tmp_path / f"large{suffix}"
    start = head(suffix, LARGE_SCAN, packed=False)
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
def test_a_grid_of_impossible_numbers_is_refused_before_itk_searches_for_its_axes(child, source, offset, value):
    """Fields: spacing, quaternion, its offset, first and last of the matrix. ITK would not come back."""
    files, _ = hostile_images.seed(".nii", packed=False)
    data = bytearray(next(iter(files.values())))
    struct.pack_into("<2h", data, 252, 1, 1)
    struct.pack_into("<f", data, offset, value)
    verdict = judge(child, source, ".nii", bytes(data))
    assert verdict.fault == "" and "impossible grid" in verdict.said or "no spacing" in verdict.said


def test_numbers_of_a_grid_that_is_not_used_do_not_matter(tmp_path):
    files, _ = hostile_images.seed(".nii", packed=False)
    data = bytearray(next(iter(files.values())))
    struct.pack_into("<2h", data, 252, 0, 1)
    struct.pack_into("<6f", data, 256, *[float("nan")] * 6)
    (tmp_path / "a.nii").write_bytes(data)
    assert read_geometry(tmp_path / "a.nii", "a").shape_zyx == hostile_images.SHAPE


@pytest.mark.parametrize("count", ["11", "99999999999999999999", "-1", "0", "x"])
@pytest.mark.parametrize("sign", ["=", ":"])
def test_a_number_of_axes_that_kills_itk_is_refused(child, source, sign, count):
    start = head(".mha", hostile_images.SHAPE[::-1], packed=False)
    data = start.replace(b"NDims = 3", f"NDims {sign} {count}".encode())
    verdict = judge(child, source, ".mha", data + bytes(672))
    assert verdict.fault == "" and "number of axes from 1 to 10" in verdict.said


@pytest.mark.parametrize("spacing", ["1e308", "1e30", "nan"])
def test_a_spacing_that_no_grid_can_be_made_of_is_refused(child, source, spacing):
    start = head(".mha", hostile_images.SHAPE[::-1], packed=False)
    data = start.replace(b"1 1.25 2\n", f"1 1.25 {spacing}\n".encode())
    verdict = judge(child, source, ".mha", data + bytes(672))
    assert verdict.fault == "" and "impossible grid" in verdict.said


@pytest.mark.parametrize("name", ["a%d b c", "a\rb%d 1 x", "a%s 1 2 1", "a%n%d 1 2 1", "%99999d 1 2 1", "a%d 1 2 0"])
@pytest.mark.parametrize("before", ["", "\r", " \t"])
def test_a_pattern_of_file_names_that_kills_itk_is_refused(child, source, before, name):
    start = head(".mha", hostile_images.SHAPE[::-1], packed=False)
    data = start.replace(b"ElementDataFile = LOCAL", f"{before}ElementDataFile = {name}".encode())
    verdict = judge(child, source, ".mha", data + bytes(672))
    assert verdict.fault == "" and "pattern that cannot be followed" in verdict.said


@pytest.mark.parametrize("listed", [b"LIST\nslice1\nslice2\n", b"slice%d 1 2 1\n"])
def test_an_image_in_several_files_is_still_read(tmp_path, listed):
    start = head(".mha", (8, 7, 2), packed=False).replace(b"LOCAL\n", listed)
    (tmp_path / "a.mhd").write_bytes(start)
    voxels = np.arange(112, dtype=np.int16).reshape(2, 7, 8)
    for number, plane in enumerate(voxels, start=1):
        (tmp_path / f"slice{number}").write_bytes(plane.tobytes())
    assert np.array_equal(read_image([tmp_path / "a.mhd"], "a").array[0], voxels)


def test_a_metaimage_that_calls_itself_a_nrrd_is_looked_at_all_the_same(child, source):
    data = b"NRRD = 1\n" + head(".mha", hostile_images.SHAPE[::-1], packed=False).replace(b"NDims = 3", b"NDims = 99")
    verdict = judge(child, source, ".mha", data + bytes(672))
    assert verdict.fault == "" and "number of axes from 1 to 10" in verdict.said
