"""Runs inside Slicer: does what the files of a folder ask for, one after the other, and writes down what came out.

A request is Python text, `NUMBER.py`; what its variable `answer` holds comes back as `NUMBER.json`. Between two
requests it does nothing but measure how long the event loop stood still.
"""

import json
import os
import time
import traceback
from pathlib import Path

import qt
import slicer
import slicer.util

_INTERVAL_MS = 10


class Unseen(Exception):
    """A widget that a person could not click on."""


def panel():
    """Our panel, once the module was opened."""
    return slicer.util.getModuleWidget("MetaSSLSlicer").panel


def seen(widget) -> bool:
    """True when all of a widget is on the screen, not scrolled away."""
    return widget.isVisible() and shownShare(widget) > 0.99


def shownShare(widget) -> float:
    """How much of a widget's height is on the screen, 0 to 1."""
    if not widget.isVisible() or widget.height == 0:
        return 0.0
    top, bottom = globalTop(widget), globalTop(widget) + widget.height
    parent = widget.parent()
    low, high = top, bottom
    while parent is not None and parent.inherits("QWidget"):
        start = globalTop(parent)
        low, high = max(low, start), min(high, start + parent.height)
        parent = parent.parent()
    return max(0, high - low) / widget.height


def globalTop(widget) -> int:
    """Where the upper edge of a widget is on the screen."""
    return widget.mapToGlobal(qt.QPoint(0, 0)).y()


def spot(widget, x=None, y=None):
    """A point of a widget, by default its middle, on the screen: [x, y]. Unseen where a click would not reach it."""
    if not widget.isVisible():
        raise Unseen(f"{widget.objectName or widget.className()} is not visible")
    local = qt.QPoint(int(widget.width / 2 if x is None else x), int(widget.height / 2 if y is None else y))
    point = widget.mapToGlobal(local)
    hit = qt.QApplication.widgetAt(point)
    found = hit
    while found is not None and found != widget:
        found = found.parent()
    if found is None:
        over = "nothing" if hit is None else f"{hit.className()} {hit.objectName}"
        raise Unseen(f"at the middle of {widget.objectName or widget.className()} there is {over}")
    return [point.x(), point.y()]


def bringIntoView(widget) -> None:
    """Scroll as a person would with the wheel."""
    parent = widget.parent()
    while parent is not None:
        if parent.inherits("QScrollArea"):
            parent.ensureWidgetVisible(widget)
        parent = parent.parent()
    slicer.app.processEvents()


def rowSpot(view, row, column=0):
    """The middle of a cell of an item view, on the screen."""
    view.scrollTo(view.model().index(row, column))
    rectangle = view.visualRect(view.model().index(row, column))
    center = view.viewport().mapToGlobal(rectangle.center())
    return [center.x(), center.y()]


def sliceView(name="Red"):
    """The view that shows slices of this name."""
    return slicer.app.layoutManager().sliceWidget(name).sliceView()


def rasSpot(ras, name="Red"):
    """Where a point in the patient (mm) is on the screen, in a slice view."""
    import vtk

    node = slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()
    toXy = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(node.GetXYToRAS(), toXy)
    x, y, _z, _one = toXy.MultiplyPoint((*ras, 1.0))
    view = sliceView(name)
    scale = view.devicePixelRatioF() if hasattr(view, "devicePixelRatioF") else 1.0
    point = view.mapToGlobal(qt.QPoint(round(x / scale), round(view.height - y / scale)))
    return [point.x(), point.y()]


def rasSpot3d(ras):
    """Where a point in the patient (mm) is on the screen, in the first 3-D view."""
    view = slicer.app.layoutManager().threeDWidget(0).threeDView()
    renderer = view.renderWindow().GetRenderers().GetFirstRenderer()
    renderer.SetWorldPoint(*ras, 1.0)
    renderer.WorldToDisplay()
    x, y, _depth = renderer.GetDisplayPoint()
    scale = view.devicePixelRatioF() if hasattr(view, "devicePixelRatioF") else 1.0
    point = view.mapToGlobal(qt.QPoint(round(x / scale), round(view.height - y / scale)))
    return [point.x(), point.y()]


def picture(path) -> None:
    """What is on the screen now."""
    slicer.app.processEvents()
    slicer.util.mainWindow().screen().grabWindow(0).save(path)


class Answering:
    """Looks for the next request with a timer, so that Slicer lives on meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 1
        self.names = dict(globals(), longestStop=self.longestStop)
        self._longest, self._last = 0.0, time.monotonic()
        self.timer = qt.QTimer()
        self.timer.setInterval(_INTERVAL_MS)
        self.timer.connect("timeout()", self.look)
        self.timer.start()

    def longestStop(self) -> float:
        """For how many seconds at most the event loop stood still since this was asked last."""
        longest, self._longest = self._longest, 0.0
        return longest

    def look(self) -> None:
        """Do the next request, if there is one."""
        now = time.monotonic()
        self._longest, self._last = max(self._longest, now - self._last - _INTERVAL_MS / 1000), now
        request = self.folder / f"{self.number:05}.py"
        if not request.exists():
            return
        number, self.number = self.number, self.number + 1  # a dialog that it opens has an event loop of its own
        self.names["answer"] = None
        try:
            exec(compile(request.read_text(encoding="utf8"), str(request), "exec"), self.names)
            result = {"answer": self.names["answer"]}
        except Exception:
            result = {"error": traceback.format_exc()}
        made = self.folder / f"{number:05}.tmp"
        made.write_text(json.dumps(result, default=str), encoding="utf8")
        made.rename(self.folder / f"{number:05}.json")
        self._last = time.monotonic()


if "METASSL_DESKTOP" in os.environ:
    answering = Answering(Path(os.environ["METASSL_DESKTOP"]))
