"""What is missing, installing it with the real pip from wheels made up on the spot, and the section "Setup"."""

from __future__ import annotations

import os
import sys
import time
from types import SimpleNamespace

import pytest
import slicer
from machine import PATIENCE_S
from metassl.files import MetaSSLError
from MetaSSLSlicerLib.Logic.Engine.EngineCheck import EngineCheck
from MetaSSLSlicerLib.Logic.Engine.EnginePython import EnginePython
from MetaSSLSlicerLib.Logic.Engine.Installation import PipProcess, Step
from MetaSSLSlicerLib.Widgets.EngineWidget import PYTHON_KEY
from MetaSSLSlicerLib.Widgets.Parts import SetupNotice
from train_panel import GPU
from wheels import WheelShelf


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A Slicer without torch and monai, whose pip knows an index of wheels made up on the spot."""
    return WheelShelf(tmp_path, monkeypatch)


def over(panel) -> None:
    panel.harness.wait(lambda: panel.engine.setup.state != "installing")


def shown(notice) -> list[str]:
    buttons = (notice.installButton, notice.otherButton, notice.checkButton, notice.cancelButton, notice.detailsButton)
    return [button.text for button in buttons if button.isVisible()]


def test_what_is_missing_is_seen_as_soon_as_the_panel_opens(makePanel, shelf):
    panel = makePanel(shelf)
    notice = panel.engine.notice
    assert not notice.widget.isVisible(), "it is looked up beside the event loop"
    panel.harness.wait(lambda: panel.engine.setup.state == "missing")
    assert notice.widget.isVisible() and shown(notice) == ["Install", "Use another Python..."]
    assert notice.label.text.startswith("Training needs torch (200 MB, or 3 GB for an NVIDIA GPU) and monai (2 MB)")
    panel.grab("setup_missing")
    assert panel.widget.minimumSizeHint.width() <= 380


def test_nothing_is_seen_where_nothing_is_missing(makePanel):
    panel = makePanel()
    panel.harness.wait(lambda: not panel.session.tasks.busy)
    assert panel.engine.setup.state == "unknown" and not panel.engine.notice.widget.isVisible()


def test_one_click_installs_everything_while_slicer_answers(makePanel, shelf):
    shelf.offer("torch", "torchvision", "monai")
    panel = makePanel(shelf, confirm=pytest.fail)
    setup, notice = panel.engine.setup, panel.engine.notice
    panel.harness.wait(lambda: setup.state == "missing")
    seen = []
    setup.changed.connect(lambda: seen.append((notice.label.text, notice.lineLabel.text)))
    with panel.harness.watchdog() as watch:
        notice.installButton.click()
        assert setup.state == "installing" and shown(notice)[:1] == ["Cancel"] and notice.bar.isVisible()
        panel.engine.install()
        over(panel)
    assert setup.state == "checking" and setup.missing == [] and not notice.widget.isVisible()
    assert shelf.version("torch") == shelf.version("torchvision") == shelf.version("monai") == "99.0"
    assert [message.text for message in panel.messages] == ["Everything that training needs is installed."]
    heads = list(dict.fromkeys(head for head, _line in seen if head.startswith("Installing")))
    names = ("light-the-torch", "torch", "monai")
    assert heads == [f"Installing {name} ({number} of 3) ..." for number, name in enumerate(names, 1)]
    assert any("wheels" in line or "torch" in line for _head, line in seen)
    watch.assertShort()


def test_a_failed_installation_says_why_and_keeps_pips_words(makePanel, shelf):
    shelf.offer("torch", "torchvision")
    panel = makePanel(shelf)
    setup, notice = panel.engine.setup, panel.engine.notice
    panel.harness.wait(lambda: setup.state == "missing")
    notice.installButton.click()
    over(panel)
    assert setup.state == "missing" and [entry.name for entry in setup.missing] == ["monai"]
    assert notice.label.text == (
        "monai could not be installed. There is none for this Slicer's Python. Use a newer Slicer, or another Python. "
        "Still missing: monai (2 MB)."
    )
    assert shown(notice) == ["Try again", "Use another Python...", "Details"]
    notice.detailsButton.click()
    assert notice.logEdit.isVisible() and "No matching distribution found for monai" in notice.logEdit.toPlainText()
    panel.grab("setup_failed")
    assert panel.widget.minimumSizeHint.width() <= 380
    shelf.offer("monai")
    notice.installButton.click()
    over(panel)
    assert setup.missing == [] and not notice.widget.isVisible()


def test_an_installation_can_be_cancelled(makePanel, shelf):
    slow = "import time\nprint('Progress 300 of 1000', flush=True)\ntime.sleep(300)\n"
    (shelf.target / "slow.py").write_text(slow, encoding="utf-8")
    shelf.before = [Step("something slow", ("slow",))]
    panel = makePanel(shelf)
    setup, notice = panel.engine.setup, panel.engine.notice
    panel.harness.wait(lambda: setup.state == "missing")
    notice.installButton.click()
    panel.harness.wait(lambda: notice.bar.value == 30)
    panel.grab("setup_installing")
    notice.cancelButton.click()
    assert notice.label.text == "Stopping ..." and not notice.cancelButton.enabled
    over(panel)
    assert setup.installation.state == "cancelled" and len(setup.missing) == 2
    assert notice.label.text.startswith("The installation was cancelled. Training still needs torch (")
    assert "Install" in shown(notice)


@pytest.mark.skipif(os.name == "nt", reason="Windows ends it at once")
def test_what_does_not_stop_when_it_is_asked_to_is_ended(shelf, monkeypatch):
    monkeypatch.setattr(PipProcess, "_GRACE_S", 0.3)
    stubborn = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('up', flush=True)\n"
    (shelf.target / "stubborn.py").write_text(stubborn + "time.sleep(300)\n", encoding="utf-8")
    process = EnginePython().startInstall(["stubborn"])
    end = time.monotonic() + PATIENCE_S
    while process.poll() is None and process.log != "up" and time.monotonic() < end:
        time.sleep(0.02)
    process.cancel()
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    assert process.code == -9


def test_train_asks_once_installs_and_goes_on(makePanel, shelf, tiny_project):
    shelf.offer("torch", "torchvision", "monai")
    questions, started = [], []
    panel = makePanel(shelf, lambda question: questions.append(question) or len(questions) > 1)
    panel.open(tiny_project)
    assert panel.ui.deviceLabel.text.startswith("Not ready yet: torch (200 MB")
    panel.ui.trainButton.click()
    assert len(questions) == 1 and panel.engine.setup.state == "missing", "a no installs nothing"

    def worker():
        started.append("a training")
        raise MetaSSLError("that is enough")

    panel.job.python = SimpleNamespace(worker=worker)
    panel.ui.trainButton.click()
    assert len(questions) == 2 and panel.engine.setup.state == "installing"
    assert panel.ui.deviceLabel.text.startswith("Installing ")
    panel.ui.trainButton.click()
    assert len(questions) == 2 and "goes on" in panel.messages[-1].text, "not twice at once"
    over(panel)
    assert panel.engine.setup.missing == [] and started == ["a training"]


def test_an_installation_that_failed_starts_no_training_later(makePanel, shelf, tiny_project):
    panel = makePanel(shelf)
    panel.open(tiny_project)
    panel.job.python = SimpleNamespace(worker=lambda: pytest.fail("nobody asked for a training now"))
    panel.ui.trainButton.click()
    over(panel)
    assert panel.engine.setup.state == "missing"
    shelf.offer("torch", "torchvision", "monai")
    panel.engine.notice.installButton.click()
    over(panel)
    assert panel.engine.setup.missing == []


def test_what_slicer_uses_itself_asks_for_a_restart_when_it_was_renewed(makePanel, shelf, monkeypatch):
    shelf.offer("torch", "torchvision", "monai")
    versions = iter(("1.26", "2.1"))
    monkeypatch.setattr(shelf, "loaded", lambda: {"numpy": next(versions)}, raising=False)
    panel = makePanel(shelf)
    panel.harness.wait(lambda: panel.engine.setup.state == "missing")
    panel.engine.notice.installButton.click()
    over(panel)
    assert panel.messages[0].text.startswith("numpy was renewed") and panel.messages[0].actionText == "Restart Slicer"


def test_without_the_pytorch_extension_its_manager_is_offered(makePanel, tmp_path, monkeypatch, tiny_project):
    opened, application = [], type(slicer.app)
    monkeypatch.setattr(application, "openExtensionsManagerDialog", lambda _app: opened.append(True), raising=False)
    panel = makePanel(WheelShelf(tmp_path, monkeypatch, extension=False))
    panel.open(tiny_project)
    notice = panel.engine.notice
    assert 'Slicer\'s extension "PyTorch"' in notice.label.text
    assert shown(notice) == ["Open the Extensions Manager", "Use another Python..."]
    panel.grab("setup_no_extension")
    notice.installButton.click()
    assert opened
    panel.ui.trainButton.click()
    assert panel.messages[0].level == "error" and "Extensions Manager" in panel.messages[0].text


def test_a_slicer_without_the_extensions_manager_does_not_offer_it(makePanel, tmp_path, monkeypatch, tiny_project):
    monkeypatch.setattr(SetupNotice, "slicer", SimpleNamespace(app=object()))
    panel = makePanel(WheelShelf(tmp_path, monkeypatch, extension=False))
    panel.open(tiny_project)
    assert shown(panel.engine.notice) == ["Use another Python..."]


def test_another_python_can_be_chosen_at_once(makePanel, shelf, settings):
    answers = ["", sys.executable]
    panel = makePanel(shelf, choosePython=lambda: answers.pop(0))
    notice = panel.engine.notice
    panel.harness.wait(lambda: panel.engine.setup.state == "missing")
    notice.otherButton.click()
    assert panel.engine.setup.state == "missing", "cancelled"
    notice.otherButton.click()
    assert panel.engine.setup.state == "checking" and not notice.widget.isVisible()
    assert settings.value(PYTHON_KEY) == sys.executable


def test_the_check_runs_in_the_background_and_is_shown(makePanel):
    panel = makePanel()
    assert panel.engine.setup.state == "unknown" and panel.engine.ui.section.collapsed
    panel.engine.ui.section.collapsed = False
    panel.harness.wait(lambda: panel.engine.setup.state in ("ready", "failed"))
    assert panel.engine.ui.summaryLabel.text.startswith("Ready: trains on ")
    assert "torch: " in panel.engine.ui.findingsLabel.text
    panel.engine.ui.findingsGroup.collapsed = False
    panel.grab("setup_ready")
    assert panel.widget.minimumSizeHint.width() <= 380


def test_a_computer_that_cannot_train_says_why_at_the_top(makePanel):
    panel = makePanel()
    findings = (*GPU.findings[:3], ("failed", "monai", "the check crashed: its process was ended by SIGSEGV"))
    panel.ready(EngineCheck(False, "cpu", "CPU", "2.9.1", findings, "monai: the check crashed", "reinstall monai"))
    notice = panel.engine.notice
    assert notice.widget.isVisible() and shown(notice) == ["Use another Python...", "Check again"]
    assert notice.label.text == "monai: the check crashed\nWhat to do: reinstall monai"
    assert panel.ui.deviceLabel.text == "This computer cannot train yet. The top of the panel says why."
    panel.grab("setup_cannot_train")


def test_another_python_is_used_remembered_and_left_again(makePanel, tiny_project, settings):
    panel = makePanel()
    ui = panel.engine.ui
    panel.engine.ui.section.collapsed = False
    ui.pythonGroup.collapsed = False
    ui.pathEdit.setCurrentPath("/nowhere/python")
    ui.useButton.click()
    assert "There is no Python at /nowhere/python" in panel.messages[-1].text and panel.python.isOwn
    ui.pathEdit.setCurrentPath(sys.executable)
    ui.useButton.click()
    assert not panel.python.isOwn and settings.value(PYTHON_KEY) == sys.executable
    again = makePanel()
    again.engine.ui.section.collapsed = False
    assert again.python.executable == sys.executable and again.engine.ui.ownButton.enabled
    again.grab("setup_other_python")
    again.engine.ui.ownButton.click()
    assert again.python.isOwn and settings.value(PYTHON_KEY) == ""


def test_the_questions_are_asked_by_slicer(harness):
    assert callable(slicer.util.confirmOkCancelDisplay) and callable(slicer.app.openExtensionsManagerDialog)
