"""Which Python trains, what is missing in it, and the child processes in between."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
import types

import pytest
from metassl.project import MetaSSLError
from MetaSSLSlicerLib.Logic.Dependencies import Dependencies, Requirement, readRequirements
from MetaSSLSlicerLib.Logic.EngineCheck import EngineCheck
from MetaSSLSlicerLib.Logic.EngineProcess import EngineProcess, Result
from MetaSSLSlicerLib.Logic.EnginePython import EnginePython
from MetaSSLSlicerLib.Logic.EngineSetup import EngineSetup
from MetaSSLSlicerLib.Logic.SlicerPackages import SlicerPackages


def finished(process: EngineProcess) -> Result:
    end = time.monotonic() + 60
    while (result := process.poll()) is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    return result


class Shelf:
    """Packages that can be installed: name to version; some are there already."""

    def __init__(self, extension: bool = True, fails: Exception | None = None, **there: str | None) -> None:
        self.there = {"torch": None, "monai": None, "SimpleITK": "2.5.0", "numpy": "2.0.1", **there}
        self.extension, self.fails, self.installed = extension, fails, []

    def version(self, name: str) -> str | None:
        return self.there[name]

    def hasPyTorchExtension(self) -> bool:
        return self.extension

    def installTorch(self, versions: str) -> None:
        self._take("torch", versions)

    def install(self, requirements: list[str]) -> None:
        for text in requirements:
            self._take(*text.split(">="))

    def _take(self, name: str, versions: str) -> None:
        if self.fails is not None:
            raise self.fails
        self.installed.append(name)
        self.there[name] = versions.removeprefix(">=") + ".1"


# Processes


def test_a_command_gives_its_json_without_being_waited_for(tiny_project):
    start = time.perf_counter()
    process = EngineProcess(sys.executable, ["status", str(tiny_project.path), "--json"])
    assert process.poll() is None and time.perf_counter() - start < 0.5
    result = finished(process)
    assert result.code == 0 and result.json["cases"]["pool"]["unlabelled"] == 3
    assert process.poll() is result


def test_a_command_that_the_engine_refuses_explains_itself_in_one_line(tmp_path):
    result = finished(EngineProcess(sys.executable, ["status", str(tmp_path / "none"), "--json"]))
    assert result.code == 2 and result.json is None
    assert result.text == f"there is no project folder {tmp_path / 'none'}"


def test_a_python_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(MetaSSLError, match="cannot be started .* Setup"):
        EngineProcess(str(tmp_path / "python"), ["doctor"])


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for another Python")
def test_another_python_gets_the_users_variables_and_no_foreign_path(tmp_path):
    fake = tmp_path / "python"
    script = """printf '{"path": "%s", "home": "%s", "mine": "%s"}' "$PYTHONPATH" "$PYTHONHOME" "$MINE"\n"""
    fake.write_text(f"#!/bin/sh\n{script}")
    fake.chmod(0o755)
    environment = {"PYTHONPATH": "/surprise", "PYTHONHOME": "/slicer", "MINE": "yes", "PATH": os.environ["PATH"]}
    python = EnginePython(str(fake), lambda: environment)
    found = finished(python.start(["doctor"])).json
    assert found["mine"] == "yes" and found["home"] == "" and found["path"].endswith("MetaSSLSlicer")


def test_a_command_that_is_killed_ends(tiny_project):
    process = EngineProcess(sys.executable, ["doctor"])
    process.kill()
    assert finished(process).code != 0
    process.kill()


# Which Python


def test_slicers_own_python_is_taken_unless_another_is_chosen(tmp_path):
    python = EnginePython()
    assert python.isOwn and os.path.isfile(python.executable)
    with pytest.raises(MetaSSLError, match="There is no Python at"):
        python.use(str(tmp_path))
    assert python.isOwn
    python.use(sys.executable)
    assert not python.isOwn and python.executable == sys.executable == python.description
    python.use("")
    assert python.isOwn


@pytest.mark.skipif(os.name == "nt", reason="the folders are POSIX's")
def test_the_folder_of_an_environment_will_do(tmp_path):
    (tmp_path / "bin").mkdir()
    os.symlink(sys.executable, tmp_path / "bin" / "python")
    python = EnginePython()
    python.use(str(tmp_path))
    assert python.executable == str(tmp_path / "bin" / "python"), "the link is kept: it is what makes the environment"


def test_a_real_check_finds_the_device_and_torch():
    setup = EngineSetup(EnginePython(), Dependencies(SlicerPackages(), confirm=lambda question: False))
    states = []
    setup.changed.connect(lambda: states.append(setup.state))
    setup.lookOnce()
    assert states == ["checking"] and "Looking" in setup.deviceLine(4)
    end = time.monotonic() + 120
    while setup.state == "checking" and time.monotonic() < end:
        setup.poll()
        time.sleep(0.05)
    assert states == ["checking", "ready"], setup.check
    assert setup.check.torchVersion[0].isdigit() and setup.check.device in ("cpu", "cuda", "mps")
    assert "about 4 minutes" in setup.deviceLine(4) and setup.check.deviceName in setup.deviceLine(4)
    setup.lookOnce()
    assert states == ["checking", "ready"]


@pytest.mark.parametrize(
    ("gpu", "device", "name"),
    [
        (("ok", "CUDA 12.8: RTX A4000, 16 GiB; a training step works, bf16 is used"), "cuda", "RTX A4000, 16 GiB"),
        (("ok", "CUDA 12.8: A, 8 GiB; B, 9 GiB; a training step works, fp16 is used"), "cuda", "A, 8 GiB"),
        (("note", "CUDA 12.8: A, 8 GiB; it cannot be used, training runs on the CPU: too old"), "cpu", "CPU (8 cores)"),
        (("ok", "Apple MPS, a training step works"), "mps", "Apple GPU"),
        (("note", "none: training runs on the CPU"), "cpu", "CPU (8 cores)"),
    ],
)
def test_a_check_names_the_device_for_people(gpu, device, name):
    checks = [("cores", "ok", "8 usable"), ("torch", "ok", "2.9.1+cpu, works"), ("GPU", *gpu)]
    content = {"ok": True, "checks": [{"name": n, "state": s, "text": t, "advice": ""} for n, s, t in checks]}
    check = EngineCheck.of(Result(0, content, ""))
    assert (check.ready, check.device, check.deviceName, check.torchVersion) == (True, device, name, "2.9.1+cpu")


def test_slicers_python_on_a_mac_is_known_to_have_no_recent_torch(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    shelf = Shelf()
    with pytest.raises(MetaSSLError, match=r"no torch >=2.8 .* on a Mac.* torch>=2.8, .* Setup"):
        Dependencies(shelf, lambda question: pytest.fail("nothing is to be agreed to")).install()


def test_a_check_that_failed_says_what_to_do():
    failed = {"name": "monai", "state": "failed", "text": "it crashed", "advice": "reinstall monai"}
    check = EngineCheck.of(Result(1, {"ok": False, "checks": [failed]}, ""))
    assert not check.ready and check.problem == "monai: it crashed" and check.advice == "reinstall monai"
    check = EngineCheck.of(Result(1, None, "ModuleNotFoundError: No module named 'numpy'"))
    assert not check.ready and check.advice == "The package numpy is not installed in this Python."


# Dependencies


def test_the_one_list_of_requirements_is_read():
    assert [entry.name for entry in readRequirements()] == ["torch", "monai", "SimpleITK", "numpy"]
    assert all(entry.minimum for entry in readRequirements())


@pytest.mark.parametrize(
    ("version", "met"),
    [("2.8", True), ("2.8.0+cu128", True), ("2.10.1", True), ("2.7.9", False), ("3.0rc1", True), (None, False)],
)
def test_versions_are_compared_by_their_numbers(version, met):
    assert Requirement("torch", "2.8").isMetBy(version) is met


def test_this_python_lacks_nothing_and_nothing_is_asked():
    assert Dependencies(SlicerPackages(), confirm=pytest.fail).missing() == []
    assert Dependencies(SlicerPackages(), confirm=pytest.fail).install()


def test_what_is_missing_is_said_with_its_size_asked_once_and_installed():
    shelf, questions = Shelf(), []
    dependencies = Dependencies(shelf, confirm=lambda question: questions.append(question) or True)
    assert [entry.text for entry in dependencies.missing()] == ["torch>=2.8", "monai>=1.5"]
    assert dependencies.describe(dependencies.missing()) == "torch (200 MB, or 3 GB for an NVIDIA GPU) and monai (2 MB)"
    assert dependencies.install()
    assert shelf.installed == ["torch", "monai"], "torch first, so that monai does not bring one of its own"
    assert len(questions) == 1 and "torch" in questions[0] and dependencies.missing() == []


def test_a_no_installs_nothing():
    shelf = Shelf()
    assert not Dependencies(shelf, confirm=lambda question: False).install()
    assert shelf.installed == []


def test_without_the_pytorch_extension_nothing_is_installed_and_it_is_said_how_to_get_it():
    shelf = Shelf(extension=False)
    with pytest.raises(MetaSSLError, match="Extensions Manager"):
        Dependencies(shelf, confirm=pytest.fail).install()
    assert shelf.installed == []
    monai_only = Shelf(extension=False, torch="2.9")
    assert Dependencies(monai_only, confirm=lambda question: True).install() and monai_only.installed == ["monai"]


def test_a_failed_installation_is_said_in_the_users_words():
    with pytest.raises(MetaSSLError, match="no network. Check the internet connection"):
        Dependencies(Shelf(fails=OSError("no network")), confirm=lambda question: True).install()


def test_torch_is_installed_by_the_extension_and_the_rest_by_slicer(monkeypatch):
    """The two ways into Slicer's Python, with modules that take the place of Slicer's own."""
    calls = []

    class PyTorchUtilsLogic:
        def installTorch(self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None):
            calls.append(("torch", askConfirmation, torchVersionRequirement))
            return object()

    extension = types.ModuleType("PyTorchUtils")
    extension.PyTorchUtilsLogic = PyTorchUtilsLogic
    extension.__spec__ = importlib.util.spec_from_loader("PyTorchUtils", None)
    packaging = types.ModuleType("slicer.packaging")
    packaging.pip_ensure = lambda wanted, **options: calls.append(([str(each) for each in wanted], options))
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    packages = SlicerPackages()
    assert packages.hasPyTorchExtension()
    packages.installTorch(">=2.8")
    packages.install(["monai>=1.5"])
    assert calls == [
        ("torch", False, ">=2.8"),
        (["monai>=1.5"], {"requester": "MetaSSL", "prompt_install": False}),
    ]
    util = types.ModuleType("slicer.util")
    util.pip_install = lambda requirements: calls.append(("pip_install", requirements))
    monkeypatch.setitem(sys.modules, "slicer.packaging", types.ModuleType("slicer.packaging"))
    monkeypatch.setitem(sys.modules, "slicer.util", util)
    packages.install(["monai>=1.5"])
    assert calls[-1] == ("pip_install", ["monai>=1.5"]), "Slicer before 5.11"
    assert packages.version("numpy")[0].isdigit() and packages.version("surely_not_there") is None


def test_missing_packages_are_said_before_anything_is_tried():
    setup = EngineSetup(EnginePython(), Dependencies(Shelf(), confirm=lambda question: False))
    setup.lookOnce()
    assert setup.state == "missing" and "torch (200 MB" in setup.deviceLine(4)
    assert not setup.install() and setup.state == "missing"


def test_another_python_is_checked_without_regard_to_slicers_packages():
    python = EnginePython(startupEnvironment=lambda: os.environ)
    setup = EngineSetup(python, Dependencies(Shelf(), confirm=pytest.fail))
    setup.usePython(sys.executable)
    assert setup.state == "checking" and setup.missing == []
    setup.close()
