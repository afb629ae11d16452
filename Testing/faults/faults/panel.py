"""The module's real panel, in Slicer's stand-in, for campaigns: a process can have one after the other."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

TESTING = Path(__file__).resolve().parents[2]
PATHS = [str(TESTING / name) for name in ("faults", "support", "harness")] + [str(TESTING.parent / "MetaSSLSlicer")]
"""Where a process of its own finds what it needs."""


@contextmanager
def opened_panel(pictures: Path) -> Iterator[tuple]:
    """(Harness, PanelWidget) of the module, entered; the scene and the settings are empty."""
    from slicerharness.Harness import Harness

    gc.disable()  # a collection in another thread would destroy widgets there
    harness = Harness(pictures)
    harness.reset()
    import MetaSSLSlicer

    harness.registerModule(MetaSSLSlicer.__file__)
    widget = MetaSSLSlicer.MetaSSLSlicerWidget()
    widget.enter()
    try:
        yield harness, widget.panel
    finally:
        widget.cleanup()
        harness.reset()
        gc.enable()


def open_case(harness, panel, case_id: str):
    """Open a case as a double click in the table does; returns it once it is shown."""
    panel.casesWidget.view.opened.emit(case_id)
    harness.wait(lambda: panel.session.case is not None and panel.session.case.id == case_id)
    return panel.session.case


def paint(harness, panel, case_id: str, mask: np.ndarray):
    """Have a case open and draw its first structure; the edits are not saved. Returns the case."""
    from painting import paintSegment

    case = panel.session.case
    if case is None or case.id != case_id:
        case = open_case(harness, panel, case_id)
    if not case.isEditing:
        panel.reviewWidget.ui.correctButton.click()
    paintSegment(case.nodes.annotationNode, "Label_1", mask, case.data.geometry)
    harness.process()
    return case
