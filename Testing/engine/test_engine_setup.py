"""Which Python trains, what is missing in it, and the child processes in between."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
import types

import pytest
from machine import PATIENCE_S
from metassl.files import MetaSSLError
from MetaSSLSlicerLib.Logic.Engine.Dependencies import Dependencies, Requirement, SlicerPackages, readRequirements
from MetaSSLSlicerLib.Logic.Engine.EngineCheck import EngineCheck
from MetaSSLSlicerLib.Logic.Engine.EngineProcess import EngineProcess, Result
from MetaSSLSlicerLib.Logic.Engine.EnginePython import EnginePython
from MetaSSLSlicerLib.Logic.Engine.EngineSetup import EngineSetup
from MetaSSLSlicerLib.Logic.Engine.Installation import Installation, Step, adviceOn


def finished(process: EngineProcess) -> Result:
    end = time.monotonic() + PATIENCE_S
    while (result := process.poll()) is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    return result


class Shelf:
    """Packages that are there: name to version; the others are installed by steps that only remember."""

    def __init__(self, extension: bool = True, busy: bool = False, **there: str | None) -> None:
        self.there = {"torch": None, "monai": None, "SimpleITK": "2.5.0", "numpy": "2.0.1", **there}
        self.extension, self.busy = extension, busy

    def version(self, name: str) -> str | None:
        return self.there[name]

    def loaded(self) -> dict[str, str | None]:
        return {}

    def hasPyTorchExtension(self) -> bool:
        return self.extension

    def isInstalling(self) -> bool:
        return self.busy

    def torchSteps(self, versions: str) -> list[Step]:
        return [Step("torch", ("install-torch", versions))]

    def steps(self, requirements: list[str]) -> list[Step]:
        return [Step("the rest", ("install", *requirements))]


# Processes


def test_a_command_gives_its_json_without_being_waited_for(tiny_project):
    process = EngineProcess(sys.executable, ["status", str(tiny_project.path), "--json"])
    assert process.poll() is None
    result = finished(process)
    assert result.code == 0 and result.json["cases"]["pool"]["unlabelled"] == 3
    assert process.poll() is result


def test_a_command_that_the_engine_refuses_explains_itself_in_one_line(tmp_path):
    result = finished(EngineProcess(sys.executable, ["status", str(tmp_path / "none"), "--json"]))
    assert result.code == 2 and result.json["error"]["code"] == "other"
    assert result.text == f"there is no project folder {tmp_path / 'none'}"


def test_a_python_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(MetaSSLError, match="cannot be started .* Setup"):
        EngineProcess(str(tmp_path / "python"), ["doctor"])


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for another Python")
def test_another_python_gets_the_users_variables_and_no_foreign_path(tmp_path):
    fake = tmp_path / "python"
    script = """printf '{"path": "%s", "home": "%s", "mine": "%s"}' "$PYTHONPATH" "$PYTHONHOME" "$MINE"\n"""
    fake.write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
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
    setup = EngineSetup(EnginePython(), Dependencies(SlicerPackages()))
    states = []
    setup.changed.connect(lambda: states.append(setup.state))
    setup.lookOnce()
    assert states == ["checking"] and "Looking" in setup.deviceLine(4)
    end = time.monotonic() + PATIENCE_S
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
        (("ok", {"device": "cuda", "name": "RTX A4000, 16 GiB"}), "cuda", "RTX A4000, 16 GiB"),
        (("ok", {"device": "cuda"}), "cuda", "NVIDIA GPU"),
        (("note", {}), "cpu", "CPU (8 cores)"),
        (("ok", {"device": "mps"}), "mps", "Apple GPU"),
    ],
)
def test_a_check_names_the_device_for_people(gpu, device, name):
    checks = [("cores", "ok", {"cores": 8}), ("torch", "ok", {}), ("GPU", *gpu)]
    listed = [{"name": n, "state": s, "text": "in words", "advice": "", "facts": facts} for n, s, facts in checks]
    content = {"ok": True, "checks": listed, "versions": {"torch": "2.9.1+cpu"}}
    check = EngineCheck.of(Result(0, content, ""))
    assert (check.ready, check.device, check.deviceName, check.torchVersion) == (True, device, name, "2.9.1+cpu")


def test_slicers_python_on_a_mac_is_known_to_have_no_recent_torch(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    dependencies = Dependencies(Shelf())
    with pytest.raises(MetaSSLError, match=r"no torch >=2.8 .* on a Mac.* torch>=2.8, .* choose it"):
        dependencies.steps(dependencies.missing())


def test_a_check_that_failed_says_what_to_do():
    failed = {"name": "monai", "state": "failed", "text": "it crashed", "advice": "reinstall monai"}
    check = EngineCheck.of(Result(1, {"ok": False, "checks": [failed]}, ""))
    assert not check.ready and check.problem == "monai: it crashed" and check.advice == "reinstall monai"
    error = {"code": "missing_package", "message": "No module named 'numpy'", "package": "numpy"}
    check = EngineCheck.of(Result(1, {"error": error}, "ModuleNotFoundError: No module named 'numpy'"))
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


def test_this_python_lacks_nothing():
    assert Dependencies(SlicerPackages()).missing() == []


def test_what_is_missing_is_said_with_its_size_and_torch_comes_first():
    dependencies = Dependencies(Shelf(SimpleITK="2.3"))
    missing = dependencies.missing()
    assert [entry.text for entry in missing] == ["torch>=2.8", "monai>=1.5", "SimpleITK>=2.4"]
    assert dependencies.describe(missing) == (
        "torch (200 MB, or 3 GB for an NVIDIA GPU), monai (2 MB) and SimpleITK 2.4 (50 MB)"
    )
    torch, others = dependencies.steps(missing)
    assert torch.arguments == ("install-torch", ">=2.8"), "first, so that monai does not bring one of its own"
    assert others.arguments == ("install", "monai>=1.5", "SimpleITK>=2.4")


def test_without_the_pytorch_extension_nothing_is_installed_and_it_is_said_how_to_get_it():
    dependencies = Dependencies(Shelf(extension=False))
    with pytest.raises(MetaSSLError, match="Extensions Manager"):
        dependencies.steps(dependencies.missing())
    monai_only = Dependencies(Shelf(extension=False, torch="2.9"))
    assert [step.arguments[1:] for step in monai_only.steps(monai_only.missing())] == [("monai>=1.5",)]


def test_while_another_module_installs_packages_nothing_is_begun():
    dependencies = Dependencies(Shelf(busy=True))
    with pytest.raises(MetaSSLError, match="installing other packages"):
        dependencies.steps(dependencies.missing())


def test_torch_is_installed_as_the_extension_would(monkeypatch):
    """With a module in the place of Slicer's own, which has what SlicerPyTorch's has."""

    class PyTorchUtilsLogic:
        @staticmethod
        def _getPipInstallArguments(backend=None, torchVersionRequirement=None, torchvisionVersionRequirement=None):
            return ["install", "torch" + torchVersionRequirement, "torchvision"]

    extension = types.ModuleType("PyTorchUtils")
    extension.__spec__ = importlib.util.spec_from_loader("PyTorchUtils", None)
    extension.PyTorchUtilsLogic = PyTorchUtilsLogic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    packages = SlicerPackages()
    assert packages.hasPyTorchExtension()
    assert [step.arguments for step in packages.torchSteps(">=2.8")] == [
        ("pip", "install", "light-the-torch>=0.5"),
        ("light_the_torch", "install", "torch>=2.8", "torchvision"),
    ]


def test_an_extension_that_does_not_say_what_it_runs_installs_torch_itself(monkeypatch):
    calls = []

    class PyTorchUtilsLogic:
        def installTorch(self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None):
            calls.append((askConfirmation, torchVersionRequirement))
            return object() if len(calls) == 1 else None

    extension = types.ModuleType("PyTorchUtils")
    extension.PyTorchUtilsLogic = PyTorchUtilsLogic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    for end in ("done", "failed"):
        installation = Installation(SlicerPackages().torchSteps(">=2.8"), pytest.fail)
        assert "Slicer does not answer for some minutes" in installation.headline
        done = len(calls)
        installation.poll()
        assert len(calls) == done, "the panel says so first"
        installation.poll()
        assert installation.state == end
    assert calls == [(False, ">=2.8")] * 2 and "torch could not be installed" in installation.problem


def test_whether_slicer_installs_something_is_asked_where_slicer_tells(monkeypatch):
    packaging = types.ModuleType("slicer.packaging")
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    assert SlicerPackages().isInstalling() is False, "Slicer before 5.12"
    packaging.isPipInstallInProgress = lambda: True
    assert SlicerPackages().isInstalling() is True


def test_a_package_of_which_only_half_is_there_is_missing(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "halved").mkdir()
    (tmp_path / "halved" / "__init__.py").write_text("", encoding="utf-8")
    assert SlicerPackages().version("halved") is None
    info = tmp_path / "halved-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: halved\nVersion: 1.0\n", encoding="utf-8")
    assert SlicerPackages().version("halved") is None, "its list of files is not written yet"
    (info / "RECORD").write_text("halved/__init__.py,,\n", encoding="utf-8")
    assert SlicerPackages().version("halved") == "1.0"
    assert SlicerPackages().version("numpy")[0].isdigit() and SlicerPackages().version("surely_not_there") is None


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("WARNING: Retrying ... ProxyError('Cannot connect to proxy.')", "HTTPS_PROXY"),
        ("Failed to establish a new connection: NewConnectionError\nERROR: Could not find a version", "internet"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "PIP_CERT"),
        ("ERROR: Could not install packages: [WinError 5] Access is denied", "Restart Slicer"),
        ("ERROR: No matching distribution found for torch>=2.8", "newer Slicer"),
        ("something else", "details"),
    ],
)
def test_a_failure_says_what_to_do(said, advice):
    assert advice in adviceOn(said)


def test_missing_packages_are_said_before_anything_is_tried():
    setup = EngineSetup(EnginePython(), Dependencies(Shelf()))
    setup.lookOnce()
    assert setup.state == "missing" and "torch (200 MB" in setup.deviceLine(4)


def test_what_was_found_missing_in_a_task_is_taken_only_by_who_knows_nothing_yet():
    setup = EngineSetup(EnginePython(), Dependencies(Shelf()))
    setup.take([])
    assert setup.state == "unknown"
    setup.take(setup.dependencies.missing())
    assert setup.state == "missing"
    other = EngineSetup(EnginePython(sys.executable), Dependencies(Shelf()))
    other.take(other.dependencies.missing())
    assert other.state == "unknown"


def test_another_python_is_checked_without_regard_to_slicers_packages():
    python = EnginePython(startupEnvironment=lambda: os.environ)
    setup = EngineSetup(python, Dependencies(Shelf()))
    setup.usePython(sys.executable)
    assert setup.state == "checking" and setup.missing == []
    setup.close()
