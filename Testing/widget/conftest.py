"""Desktop Slicer's Python API for the widget tests; see Testing/harness."""

import gc
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))

from slicerharness import SlotErrors  # noqa: E402
from slicerharness.Harness import Harness  # noqa: E402
from slicerharness.Install import install  # noqa: E402

install()  # test files may import qt, ctk and slicer's widgets at their top


@pytest.fixture(scope="session")
def picturesFolder(tmp_path_factory) -> Path:
    """Where pictures of widgets go: METASSL_SCREENSHOTS, or a temporary folder."""
    chosen = os.environ.get("METASSL_SCREENSHOTS")
    return Path(chosen) if chosen else tmp_path_factory.mktemp("screenshots")


@pytest.fixture
def harness(picturesFolder: Path) -> Harness:
    """The application with an empty scene."""
    gc.disable()  # a collection in another thread would destroy widgets there: reset() collects
    harness = Harness(picturesFolder)
    harness.reset()
    yield harness
    harness.reset()
    gc.enable()


@pytest.fixture
def settings(harness: Harness):
    """Empty application settings in a temporary folder."""
    import qt

    return qt.QSettings()


@pytest.fixture
def session(harness: Harness):
    """A session whose tasks are pumped, as the panel does it; what it says is in `messages`."""
    import qt
    from MetaSSLSlicerLib.Logic.Case.Session import Session
    from MetaSSLSlicerLib.Logic.Scene.BackgroundTasks import BackgroundTasks

    session = Session(harness.services, BackgroundTasks())
    session.messages = []
    session.said.connect(session.messages.append)
    timer = qt.QTimer()
    timer.setInterval(5)
    timer.connect("timeout()", session.tasks.pump)
    timer.start()
    yield session
    session.shutdown()
    timer.stop()


@pytest.fixture
def answers() -> list[str]:
    """What the folder dialog gives, one after the other; "" when the user cancels."""
    return []


@pytest.fixture
def projectSection(session, settings, answers, tmp_path, monkeypatch):
    """The section "Project", with projects going into tmp_path/projects."""
    from MetaSSLSlicerLib.Widgets import ProjectWidget
    from MetaSSLSlicerLib.Widgets.NewProjectWidget import PARENT_SETTING

    monkeypatch.setattr(ProjectWidget, "projectsFolder", lambda: tmp_path / "projects")
    settings.setValue(PARENT_SETTING, str(tmp_path / "projects"))

    def answer(*_question: str) -> str:
        return answers.pop(0) if answers else ""

    section = ProjectWidget.ProjectWidget(session, answer, chooseFile=answer)
    section.widget.show()
    yield section
    section.cleanup()


@pytest.fixture
def asked() -> list[str]:
    """What the user was asked; the answer is yes unless it says "no"."""
    return []


@pytest.fixture
def casesSection(session, answers, asked):
    """The section "Cases"."""
    from MetaSSLSlicerLib.Widgets.CasesWidget import CasesWidget

    def answer(*_question: str) -> str:
        return answers.pop(0) if answers else ""

    def confirm(question: str) -> bool:
        asked.append(question)
        return "no" not in answers

    section = CasesWidget(session, chooseFolder=answer, chooseFile=answer, confirm=confirm)
    section.widget.resize(380, 500)
    section.widget.show()
    yield section
    section.cleanup()


@pytest.fixture
def makePanel(harness: Harness):
    """makePanel(...) -> a TrainPanel; see there."""
    from train_panel import TrainPanel

    made = []

    def make(*args, **options) -> TrainPanel:
        made.append(TrainPanel(harness, *args, **options))
        return made[-1]

    yield make
    for panel in made:
        panel.close()


@pytest.fixture
def openModule(harness: Harness, settings, tmp_path, monkeypatch):
    """openModule() -> the module's widget, made and entered as Slicer does; projects go into tmp_path."""
    from MetaSSLSlicerLib.Widgets import ProjectWidget
    from MetaSSLSlicerLib.Widgets.NewProjectWidget import PARENT_SETTING

    import MetaSSLSlicer

    monkeypatch.setattr(ProjectWidget, "projectsFolder", lambda: tmp_path)
    settings.setValue(PARENT_SETTING, str(tmp_path))
    harness.registerModule(MetaSSLSlicer.__file__)
    widgets = []

    def make():
        widgets.append(MetaSSLSlicer.MetaSSLSlicerWidget())
        widgets[-1].enter()
        return widgets[-1]

    yield make
    for widget in widgets:
        widget.cleanup()


@pytest.fixture
def panel(harness, openModule, tiny_project, make_case, make_grid):
    """The panel with a project whose case_3 is predicted."""
    import numpy as np
    from predicting import predict

    labels = make_case(3)[1]
    regions = np.ones_like(labels)
    regions[4:6, 5:8, 5:8] = 4
    predict(tiny_project, "case_3", make_grid(), segmentation=labels, regions=regions)
    panel = openModule().panel
    panel.projectWidget.openProject(tiny_project.path)
    panel.reviewWidget.ui.goOnCheck.checked = False
    return panel


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """An error in a slot fails the test that caused it."""
    SlotErrors.take()
    result = yield
    SlotErrors.raiseFirst()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    """So does one that comes while the test is tidied up."""
    SlotErrors.take()
    result = yield
    SlotErrors.raiseFirst()
    return result
