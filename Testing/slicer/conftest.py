"""A session on Slicer's core, without a panel."""

import pytest


@pytest.fixture(scope="module")
def services():
    from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer

    return OffscreenSlicer(64)


@pytest.fixture
def make_session(services, tiny_project):
    """Makes sessions with the tiny project, as if Slicer were started again; what each says is in its `messages`."""
    from MetaSSLSlicerLib.Logic.Case.Session import Session
    from MetaSSLSlicerLib.Logic.Scene.BackgroundTasks import BackgroundTasks

    made = []

    def make() -> Session:
        session = Session(services, BackgroundTasks())
        session.messages = []
        session.said.connect(session.messages.append)
        session.openProject(tiny_project.path)
        made.append(session)
        return session

    yield make
    for session in made:
        session.shutdown()
    services.scene.Clear(0)


@pytest.fixture
def session(make_session):
    """A session with the tiny project; what it says is in `messages`."""
    return make_session()
