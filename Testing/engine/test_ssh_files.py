"""Files on their way to another computer and back: whole, or not there at all."""

from __future__ import annotations

import os
import shlex
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import plain_ssh
import pytest
from faults.killed_worker_cohort import ball_project
from metassl.files import ErrorCode, ProjectError, code_of, sha256_of
from metassl.machines import Machine
from metassl.machines.ssh.agent import TEMPORARY
from metassl.machines.ssh.cargo import cargo_of, paths_between, project_there, send
from metassl.machines.ssh.check import ready_engine
from metassl.machines.ssh.command import refusal
from metassl.machines.ssh.engine_copy import _packed, engine_there
from metassl.machines.ssh.mirror import Mirror, Place
from metassl.machines.ssh.remote import ChangedThere, Remote
from metassl.project import Project


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """The agent, in a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("METASSL_SSH", shlex.join([sys.executable, plain_ssh.__file__]))
    monkeypatch.setenv("GREETING", "Welcome!\nmaintenance on Friday")
    with Remote(Machine("there", "ssh", host=str(home), python=sys.executable)) as connected:
        yield connected


@pytest.fixture
def project(tmp_path) -> Project:
    return ball_project(tmp_path / "project", tmp_path / "scans")


def all_of(parts) -> list:
    return list(parts)


def test_what_a_login_prints_comes_before_and_is_skipped(remote, tmp_path):
    assert remote.about["folder"] == str(tmp_path / "home" / ".metassl")
    assert remote.run([sys.executable, "-c", "print(3 * 14)"]).out == "42\n"


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (5 << 20) + 3])
def test_a_file_of_any_length_goes_there_and_comes_back_with_its_time(remote, tmp_path, size):
    source, back = tmp_path / "source", tmp_path / "back" / "file"
    source.write_bytes(os.urandom(size))
    os.utime(source, ns=(1_600_000_000_123_456_000, 1_600_000_000_123_456_000))
    root = remote.path("files")
    parts = all_of(remote.put(source, root, "a/b c"))
    assert parts[-1] == size and parts == sorted(parts)
    assert remote.ask("different", root=root, files=[("a/b c", size, source.stat().st_mtime_ns)])[0]["names"] == []
    all_of(remote.get(root, "a/b c", back))
    assert sha256_of(back) == sha256_of(source) and back.stat().st_mtime_ns == source.stat().st_mtime_ns


def test_half_a_file_is_never_used(remote, tmp_path):
    source, root = tmp_path / "source", Path(remote.path("files"))
    source.write_bytes(os.urandom(3 << 20))
    for _part in remote.put(source, str(root), "image"):
        assert not (root / "image").exists() or (root / "image").stat().st_size == 3 << 20
    (root / "image").unlink()
    next(remote.put(source, str(root), "image"))
    assert [path.name for path in root.iterdir()] == [f"{TEMPORARY}sent-image"]
    there, here = root / "result", tmp_path / "result"
    there.write_bytes(os.urandom(3 << 20))
    here.write_bytes(b"the former one")
    fetching = remote.get(str(root), "result", here)
    next(fetching)
    assert here.read_bytes() == b"the former one"
    fetching.close()
    assert here.read_bytes() == b"the former one"
    assert not list(tmp_path.glob(f"{TEMPORARY}*"))


def test_a_file_that_is_replaced_while_it_is_fetched_is_not_taken(remote, tmp_path):
    root = Path(remote.path("files"))
    root.mkdir(parents=True)
    (root / "model").write_bytes(bytes(3 << 20))
    fetching = remote.get(str(root), "model", tmp_path / "model")
    next(fetching)
    (root / "model").write_bytes(os.urandom(3 << 20))
    with pytest.raises(ChangedThere):
        all_of(fetching)
    assert not (tmp_path / "model").exists()


def test_a_part_that_was_damaged_on_its_way_is_refused(remote, tmp_path):
    root = remote.path("files")
    with pytest.raises(ProjectError, match="damaged on its way"):
        remote.ask("put", b"good", root=root, name="a", at=0, whole=4, stamp=0, sha="0" * 64)
    assert os.listdir(root) == []


def test_a_full_disk_there_is_told_as_one(remote, tmp_path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full")
    source = tmp_path / "source"
    source.write_bytes(b"x" * 100)
    os.makedirs(remote.path("files"))
    os.symlink(full, remote.path("files", f"{TEMPORARY}sent-image"))
    with pytest.raises(ProjectError, match="the disk of there is full") as caught:
        all_of(remote.put(source, remote.path("files"), "image"))
    assert code_of(caught.value) is ErrorCode.DISK_FULL


def test_the_engine_there_is_ours_and_is_sent_once(remote):
    folder = Path(engine_there(remote))
    assert (folder / "metassl" / "training" / "worker.py").is_file()
    assert not list(folder.rglob("*.pyc"))
    before = folder.stat().st_ino
    assert Path(engine_there(remote)) == folder and folder.stat().st_ino == before
    assert remote.call(str(folder), "standing", project=remote.path("nothing"), number=1)["is_there"] is False


def test_two_that_send_the_engine_at_once_do_not_meet(remote):
    other = Path(engine_there(remote))
    with Remote(remote.machine) as second:
        folder = remote.path("engine", "both")
        data = _packed()[1]
        with ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(each.ask, "unpack", data, folder=folder) for each in (remote, second)]
            assert [each.result() for each in asked] == [({}, b""), ({}, b"")]
    assert sorted(os.listdir(Path(folder).parent)) == sorted([other.name, "both"])
    assert (Path(folder) / "metassl" / "cli.py").is_file()


def test_a_python_that_lacks_packages_is_refused_with_the_line_that_installs_them(remote, tmp_path):
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / "bin" / "python"
    with Remote(replace(remote.machine, python=str(python))) as bare:
        with pytest.raises(ProjectError, match="there lacks torch, monai, SimpleITK, numpy") as caught:
            ready_engine(bare)
        assert not os.path.exists(bare.folder)
    assert code_of(caught.value) is ErrorCode.MISSING_PACKAGE
    assert f"on there type: {python} -m pip install 'torch>=2.8'" in str(caught.value)
    assert Path(ready_engine(remote), "metassl").is_dir()


def test_a_project_is_sent_whole_and_then_only_what_is_new(remote, project, tmp_path):
    found = project.new_round(_record(project))
    there, paths = project_there(remote, project), paths_between(remote, project)
    steps = []
    count, size = send(remote, project, cargo_of(project, found, paths, False), there, lambda *at: steps.append(at))
    assert steps[0] == (0, size) and steps[-1] == (size, size)
    copy = Project.open(Path(there))
    assert copy.cases == project.cases and copy.round(1).record == found.record
    for case in project.cases.values():
        image = Path(paths.there(project.image_paths(case)[0].as_posix()))
        assert sha256_of(image) == sha256_of(project.image_paths(case)[0])
        if case.is_labelled:
            assert (copy.read_label(case.id)[0] == project.read_label(case.id)[0]).all()
    again = send(remote, project, cargo_of(project, found, paths, True), there, lambda *at: None)
    assert again == (0, 0)
    image = project.image_paths("ball2")[0]
    image.write_bytes(project.image_paths("ball3")[0].read_bytes())
    for path in project.image_paths("ball4"):
        os.utime(path)  # another time alone is nothing new
    count, size = send(remote, project, cargo_of(project, found, paths, True), there, lambda *at: None)
    assert (count, size) == (1, image.stat().st_size)


def test_of_what_lies_there_only_the_files_of_the_round_come_back(remote, project):
    found = project.new_round(_record(project))
    mirror = Mirror(project, found, Place("there", remote.path("x")), paths_between(remote, project))
    taken = ["ranking.json", "checkpoints/model.pt", "predictions/ball2/summary.json", "predictions/ball2/regions.nrrd"]
    left = [
        "round.json", "job.json", "status.json", "events.jsonl", "../cases.json", "../../labels/ball1.nrrd", "/etc/x",
        "checkpoints/../../../cases.json", "checkpoints/a/b", "predictions/nobody/summary.json", "a\\b",
        "predictions/../summary.json", "predictions/ball2/evil.sh", "predictions/ball2/x/summary.json", ".hidden", "",
    ]  # fmt: skip
    assert [name for name in (*taken, *left) if mirror.is_ours(name)] == taken


def test_a_host_cannot_smuggle_in_an_option():
    for host in ("-oProxyCommand=touch x", "", "a b", "a;b", "$(x)"):
        with pytest.raises(ProjectError, match="is no host|has no host"):
            Machine("there", "ssh", host=host)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("ssh: Could not resolve hostname gpu: Name or service not known", "leads nowhere"),
        ("me@gpu: Permission denied (publickey,password).", "takes none of your keys, and no password is asked for"),
        ("ssh: connect to host gpu port 22: Connection refused", "Connection refused"),
        ("", "ssh ended without a word"),
    ],
)
def test_what_ssh_says_becomes_a_sentence_with_what_to_do(said, words):
    assert words in str(refusal(Machine("there", "ssh", host="gpu"), said))


def _record(project: Project) -> dict:
    labels = {case.id: case.label_version for case in project.labelled_cases()}
    validation = {case.id: case.label_version for case in project.validation_cases()}
    return {"config": {}, "labels": labels, "validation": validation, "unlabelled": ["ball2", "ball3", "ball4"]}
