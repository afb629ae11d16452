"""What a widget test holds in its hands."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path

import shiboken6
import slicer
from machine import PATIENCE_S
from PySide6 import QtCore, QtWidgets

from . import SlotErrors
from .Install import install
from .Watchdog import watchdog


class Harness:
    """The application, the scene's services, and ways to let time pass and to look."""

    def __init__(self, pictures: Path) -> None:
        self.app, self.services = install()
        self._pictures = pictures

    watchdog = staticmethod(watchdog)

    def reset(self) -> None:
        """An empty scene, empty settings and no widget left from another test."""
        gc.collect()
        for widget in self.app.topLevelWidgets():
            if not shiboken6.isValid(widget):
                continue  # it went with one that was hidden before it
            if widget.objectName != "qSlicerMainWindow" and widget.parent() is None:
                widget.hide()
                widget.deleteLater()
        self.app.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete.value)
        self.app._layoutManager = None
        self.services.scene.Clear(0)
        for view in (*self.services.sliceViews.values(), self.services.threeDView):
            view.node.SetMappedInLayout(1)  # Clear() takes it away, and with it outlines in the views
        QtCore.QSettings().clear()

    def process(self, ms: float = 0) -> None:
        """Let the event loop run, at least once."""
        end = time.monotonic() + ms / 1000
        while True:
            self.app.processEvents()
            SlotErrors.raiseFirst()
            if time.monotonic() >= end:
                return
            time.sleep(0.001)

    def wait(self, predicate: Callable[[], object], timeout: float = PATIENCE_S) -> None:
        """Run the event loop until `predicate()` holds; fail after `timeout` seconds."""
        end = time.monotonic() + timeout
        while not predicate():
            if time.monotonic() > end:
                raise AssertionError(f"waited {timeout} s in vain")
            self.process(1)

    def grab(self, widget: QtWidgets.QWidget, name: str, width: int = 380, height: int | None = None) -> Path:
        """Write what the widget looks like at this size to NAME.png and return the file's path."""
        widget.show()
        self.process()
        needed = widget.heightForWidth(width) if widget.hasHeightForWidth() else widget.sizeHint.height()
        widget.resize(width, height or max(needed, widget.minimumSizeHint.height(), 20))
        self.process(20)
        path = self._pictures / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not widget.grab().save(str(path)):
            raise OSError(f"{path} could not be written")
        return path

    def useLayoutManager(self):
        """Let slicer.app have a layout manager until the test ends; returns it."""
        from .SlicerApplication import qSlicerLayoutManager

        self.app._layoutManager = qSlicerLayoutManager(self.services)
        return self.app._layoutManager

    def registerModule(self, path: str | Path):
        """Make a module's file known as slicer.modules.NAME."""
        return slicer.modules._register(path)
