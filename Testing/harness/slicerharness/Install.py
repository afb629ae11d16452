"""Puts `qt`, `ctk`, `slicer.app`, `slicer.modules` and the widgets of `slicer` in place. Once in a process."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import tempfile
import types
from functools import lru_cache

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

import slicer.util  # noqa: E402
from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer  # noqa: E402
from PySide6 import QtCore  # noqa: E402

from . import PythonQt, SlotErrors  # noqa: E402

_NOT_IN_PYTHONQT = ("Signal", "Slot", "Property", "QUiLoader")
_keptAlive: list = []


@lru_cache(maxsize=1)
def install():
    """Install everything; returns (application, services)."""
    _keepSingletons()
    PythonQt.patch()
    from . import standins
    from .Fonts import useSomeFont
    from .ScriptedModule import makeModule
    from .SlicerApplication import qSlicerApplication, qSlicerMainWindow
    from .SlicerModules import Modules
    from .UiLoader import makeLoader

    application = qSlicerApplication(["Slicer"])
    application.setStyle("Fusion")
    useSomeFont(application)
    _settingsInTemporaryFolder()
    classes = standins.classes()
    _installQt(makeLoader(classes))
    ctk = types.ModuleType("ctk")
    sys.modules["ctk"] = ctk
    for name, cls in classes.items():
        setattr(ctk if name.startswith("ctk.") else slicer, name.split(".")[1], cls)
    services = OffscreenSlicer()
    slicer.mrmlScene, slicer.app = services.scene, application
    slicer.modules = Modules(services)
    application._attach(services, slicer.modules)
    _installI18n()
    slicer.ScriptedLoadableModule = sys.modules["slicer.ScriptedLoadableModule"] = makeModule()
    _keptAlive.extend([application, services, qSlicerMainWindow()])
    SlotErrors.catchUnhandled()
    QtCore.qInstallMessageHandler(_onQtMessage)
    gc.freeze()  # Harness.reset collects often: let it look only at what came later
    return application, services


def _keepSingletons() -> None:
    """PySide6 6.12 gives away references to None, True and False, which only Python 3.12 and newer keep for ever."""
    if sys.version_info < (3, 12):
        for kept in (None, True, False, NotImplemented):
            ctypes.c_ssize_t.from_address(id(kept)).value += 1 << 40


def _onQtMessage(kind, context, message) -> None:
    if "propagateSizeHints" not in message:  # the offscreen platform says it for every window
        print(f"Qt: {message}", file=sys.stderr)


def _settingsInTemporaryFolder() -> None:
    ini = QtCore.QSettings.Format.IniFormat
    QtCore.QSettings.setDefaultFormat(ini)
    folder = tempfile.mkdtemp(prefix="slicer-settings-")
    for scope in (QtCore.QSettings.Scope.UserScope, QtCore.QSettings.Scope.SystemScope):
        QtCore.QSettings.setPath(ini, scope, folder)


def _installQt(loader: type) -> None:
    qt = types.ModuleType("qt")
    for module in PythonQt.MODULES:
        for name in PythonQt.names(module):
            if name not in _NOT_IN_PYTHONQT:
                setattr(qt, name, getattr(module, name))
    qt.QUiLoader = loader
    sys.modules["qt"] = qt


def _installI18n() -> None:
    i18n = types.ModuleType("slicer.i18n")
    i18n.tr = lambda text: text
    i18n.translate = lambda context, text: text
    slicer.i18n = sys.modules["slicer.i18n"] = i18n
