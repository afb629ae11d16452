"""Nothing leaves the computer, and nothing that names a patient leaves the scans."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from faults import no_network
from faults.dicom_scans import PATIENT, private_words, write_series
from faults.panel import PATHS
from faults.private_work import CASES

WATCH = next(iter(no_network.__path__))


def watched(folder: Path, *words: str) -> tuple[subprocess.CompletedProcess, str]:
    """A Python process under the watch; and what it did with sockets."""
    noted = folder.parent / "sockets.txt"
    noted.unlink(missing_ok=True)
    temporary = folder / "temporary"
    temporary.mkdir(exist_ok=True)
    own = {"PYTHONPATH": os.pathsep.join([WATCH, *PATHS]), "NOTED_SOCKETS": str(noted), "TMPDIR": str(temporary)}
    environment = {**os.environ, **own, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, encoding="utf-8")
    return done, noted.read_text("utf-8") if noted.exists() else ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("private") / "work"
    for number in range(CASES):
        write_series(folder / "scans" / f"scan{number}", number)
    return folder


@pytest.fixture(scope="module")
def work(folder) -> dict[str, tuple[subprocess.CompletedProcess, str]]:
    """What came of all commands, and then of the panel."""
    return {what: watched(folder, "-m", "faults.private_work", what, str(folder)) for what in ("commands", "panel")}


@pytest.mark.parametrize("what", ["commands", "panel"])
def test_no_network_socket_is_opened(work, what):
    done, noted = work[what]
    assert done.returncode == 0, done.stdout + done.stderr
    assert noted == ""


def test_the_watch_sees_what_python_opens_and_does_not_mind_local_ones(folder):
    done, noted = watched(folder, "-c", "import socket; socket.socketpair(); socket.gethostname()")
    assert (done.returncode, noted) == (0, "")
    _, noted = watched(folder, "-c", "import socket; socket.socket()")
    assert noted.startswith("socket.__new__")
    _, noted = watched(folder, "-c", "import socket; socket.getaddrinfo('localhost', 80)")
    assert noted.startswith("socket.getaddrinfo")
    again = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import socket; socket.socket()'])"
    assert watched(folder, "-c", again)[1].startswith("socket.__new__"), "a child is not watched"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can end a process at a system call")
def test_the_watch_ends_a_process_in_which_a_library_opens_a_socket(folder):
    done, _ = watched(folder, "-c", "import ctypes; ctypes.CDLL(None).socket(2, 1, 0)")
    assert done.returncode == -31
    done, _ = watched(folder, "-c", "import ctypes; ctypes.CDLL(None).socket(1, 1, 0)")
    assert done.returncode == 0


def contents(path: Path) -> bytes:
    """The bytes of a file, unpacked where it is packed."""
    data = path.read_bytes()
    return data + gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def test_nothing_that_names_a_patient_is_written_or_said(work, folder):
    (slice_,) = (folder / "scans" / "scan0").glob("slice_00.dcm")
    assert all(value.encode() in slice_.read_bytes() for value in PATIENT.values()), "the scans do not name anybody"
    written = [path for path in folder.rglob("*") if path.is_file() and folder / "scans" not in path.parents]
    names = {path.name for path in written}
    expected = {"project.json", "cases.json", "round.json", "events.jsonl", "model.pt", "report.html", "summary.csv"}
    assert expected <= names and any(path.parent.name == "journal" for path in written), sorted(names)
    said = "".join(done.stdout + done.stderr for done, _ in work.values())
    assert "$ doctor" in said
    for word in private_words():
        assert word not in said
        for encoding in ("utf-8", "utf-16-le"):
            assert [path for path in written if word.encode(encoding) in contents(path)] == []
