"""Writing that a crash or a full disk cannot break, and reading that explains itself."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from metassl.files import ProjectError, atomic_write, read_json, sha256_of, write_json, write_text
from metassl.files import atomic as files_module
from metassl.imaging.writer import write_array


@pytest.fixture
def small_disk(tmp_path: Path):
    """A disk of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=256k", "none"]
    if not sys.platform.startswith("linux") or shutil.which("mount") is None:
        pytest.skip("a small disk is mounted on Linux only")
    if subprocess.run(["mount", *options, folder], capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def full_disk(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_written_file_holds_the_content_and_leaves_no_temporary_file(tmp_path):
    write_text(tmp_path / "a.txt", "Größe\n")
    assert (tmp_path / "a.txt").read_bytes() == "Größe\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_temporary_file_keeps_the_full_suffix(tmp_path):
    seen = []

    def write(path: Path) -> None:
        seen.append(path)
        path.write_text("x", encoding="utf-8")

    atomic_write(tmp_path / "case.1.seg.nrrd", write)
    assert seen[0].parent == tmp_path
    assert seen[0].name.endswith("case.1.seg.nrrd") and seen[0].name != "case.1.seg.nrrd"


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"n": 1})

    def fail(temporary: Path) -> None:
        temporary.write_text("half of", encoding="utf-8")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        atomic_write(path, fail)
    assert read_json(path, "the file")["n"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"n": 1})
    monkeypatch.setattr(files_module.os, "fsync", full_disk)
    with pytest.raises(ProjectError, match="the disk is full") as caught:
        write_json(path, {"n": 2})
    assert str(path) in str(caught.value)
    assert read_json(path, "the file")["n"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_really_full_disk_is_named_for_text(small_disk):
    with pytest.raises(ProjectError, match="the disk is full"):
        write_text(small_disk / "a.txt", "x" * 2_000_000)
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_a_really_full_disk_is_named_for_arrays(small_disk, make_grid, suffix):
    noise = np.random.default_rng(0).integers(0, 255, (100, 100, 100), np.uint8)
    with pytest.raises(ProjectError, match="the disk is full"):
        write_array(small_disk / f"a{suffix}", noise, make_grid(noise.shape))
    assert list(small_disk.iterdir()) == []


def test_a_file_where_the_folder_should_be_is_an_error_that_names_it(tmp_path):
    (tmp_path / "folder").write_text("I am a file", encoding="utf-8")
    with pytest.raises(ProjectError, match="is not a folder"):
        write_text(tmp_path / "folder" / "a.txt", "x")


def test_json_carries_the_schema_version(tmp_path):
    write_json(tmp_path / "a.json", {"n": 1})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"schema_version": 1, "n": 1}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"n": 1', "is damaged"),
        ("", "is damaged"),
        ("[1, 2]", "does not hold a JSON object"),
        ('{"schema_version": 2}', "newer MetaSSL"),
        ('{"schema_version": "new"}', "schema version 'new'"),
        ('{"schema_version": true}', "schema version True"),
    ],
)
def test_json_that_cannot_be_used_is_explained(tmp_path, text, complaint):
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProjectError, match=complaint) as caught:
        read_json(path, "the case list")
    assert str(caught.value).startswith("the case list") and str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_explained(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProjectError, match="is damaged"):
        read_json(tmp_path / "a.json", "the case list")


def test_a_missing_json_file_is_explained(tmp_path):
    with pytest.raises(ProjectError, match="the case list is missing"):
        read_json(tmp_path / "a.json", "the case list")


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc" * 1000)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc" * 1000).hexdigest()
    with pytest.raises(ProjectError, match="cannot read"):
        sha256_of(tmp_path / "b")
