"""slicer.app and the main window: as much as slicer.util and the extension use."""

from __future__ import annotations

import os
import tempfile

from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import QObject

from .StandIn import emit, standIn


class ModuleManager(QObject):
    """Finds the modules that tests registered."""

    moduleAboutToBeUnloaded = QtCore.Signal(str)

    def __init__(self, modules):
        super().__init__()
        self._modules = modules

    def module(self, name):
        return getattr(self._modules, name.lower(), None)

    def modulesNames(self):
        return tuple(vars(self._modules))


class qSlicerMainWindow(QtWidgets.QMainWindow):
    """The main window: shortcuts and the status bar work; it is never shown by itself."""

    _isStandIn = True
    _factsName = "qSlicerAppMainWindow"

    def __init__(self):
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setCentralWidget(QtWidgets.QWidget(self))
        self.statusBar()


class qSlicerLayoutManager(standIn("slicer.app.layoutManager()", QObject)):
    """Tells that the layout was changed, and which slice views there are."""

    _isStandIn = True

    def __init__(self, services):
        super().__init__()
        self._services = services

    def _changed(self, name):
        if name == "layout":
            self._emit("layoutChanged(int)", self.layout)

    def sliceViewNames(self):
        return tuple(self._services.sliceViews)


class qSlicerApplication(standIn("slicer.app", QtWidgets.QApplication)):
    """The application. It has a layout manager only while a test wants one: with --no-main-window there is none."""

    _isStandIn = True
    _defaults = {"majorVersion": 5, "minorVersion": 13, "revision": "0", "os": "linux", "arch": "amd64"}

    def __init__(self, arguments):
        super().__init__(arguments)
        self._services, self._moduleManager, self._layoutManager = None, None, None
        self._temporary = tempfile.mkdtemp(prefix="slicer-")
        self.setApplicationName("Slicer")
        self.setOrganizationName("slicer.org")

    def _attach(self, services, modules):
        self._services = services
        self._moduleManager = ModuleManager(modules)

    def _startup(self):
        emit(self, "startupCompleted()")

    def _get_temporaryPath(self):
        return self._temporary

    def _set_temporaryPath(self, path):
        self._temporary = path

    def applicationLogic(self):
        return self._services.applicationLogic

    def mrmlScene(self):
        return self._services.scene

    def moduleManager(self):
        return self._moduleManager

    def moduleLogic(self, name):
        return self._moduleManager.module(name).logic()

    def layoutManager(self):
        return self._layoutManager

    def testingEnabled(self):
        return True

    def settings(self):
        return QtCore.QSettings()

    userSettings = revisionUserSettings = settings

    def startupEnvironment(self):
        environment = QtCore.QProcessEnvironment()
        for name, value in os.environ.items():
            environment.insert(name, value)
        return environment

    environment = startupEnvironment

    def pauseRender(self):
        pass

    resumeRender = pauseRender

    def openUrl(self, url):
        return False
