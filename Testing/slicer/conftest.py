"""A session on Slicer's core, without a panel."""

import pytest


@pytest.fixture(scope="module")
def services():
    from MetaSSLSlicerLib.Pictures.OffscreenSlicer import OffscreenSlicer

    return OffscreenSlicer(64)


@pytest.fixture
def session(services, tiny_project):
    """A session with the tiny project; what it says is in `messages`."""
    from MetaSSLSlicerLib.Logic.BackgroundTasks import BackgroundTasks
    from MetaSSLSlicerLib.Logic.Session import Session

    made = Session(services, BackgroundTasks())
    made.messages = []
    made.said.connect(made.messages.append)
    made.openProject(tiny_project.path)
    yield made
    made.shutdown()
    services.scene.Clear(0)
