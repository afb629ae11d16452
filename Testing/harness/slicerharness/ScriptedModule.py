"""slicer.ScriptedLoadableModule: base classes with the public contract of Slicer's own."""

from __future__ import annotations

import logging
import types
import unittest
from pathlib import Path


def makeModule() -> types.ModuleType:
    """The Python module to put into sys.modules."""
    import qt
    import slicer

    module = types.ModuleType("slicer.ScriptedLoadableModule")

    class ScriptedLoadableModule:
        def __init__(self, parent):
            self.parent = parent
            self.moduleName = type(self).__name__
            parent.title, parent.categories, parent.dependencies, parent.contributors = "", [], [], []
            parent.helpText, parent.acknowledgementText, parent.hidden = "", "", False

        def resourcePath(self, filename):
            return _resourcePath(self.moduleName, filename)

        def getDefaultModuleDocumentationLink(self, docPage=None):
            return ""

        def runTest(self, msec=100, **kwargs):
            module = __import__(self.moduleName)
            getattr(module, f"{self.moduleName}Test")().runTest()

    class ScriptedLoadableModuleWidget:
        def __init__(self, parent=None):
            self.moduleName = type(self).__name__.removesuffix("Widget")
            self.developerMode = False
            self.parent = parent
            if parent is None:
                self.parent = slicer.qMRMLWidget()
                self.parent.setLayout(qt.QVBoxLayout())
                self.parent.setMRMLScene(slicer.mrmlScene)
            self.layout = self.parent.layout()
            if parent is None:
                self.setup()
                self.parent.show()

        def resourcePath(self, filename):
            return _resourcePath(self.moduleName, filename)

        def setup(self):
            pass

        def setupDeveloperSection(self):
            pass

        def cleanup(self):
            pass

        def enter(self):
            pass

        def exit(self):
            pass

        def onReload(self):
            slicer.util.reloadScriptedModule(self.moduleName)

    class ScriptedLoadableModuleLogic:
        def __init__(self, parent=None):
            self.moduleName = type(self).__name__.removesuffix("Logic")
            self.isSingletonParameterNode = True

        def createParameterNode(self):
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            if self.isSingletonParameterNode:
                node.SetSingletonTag(self.moduleName)
            node.SetAttribute("ModuleName", self.moduleName)
            node.SetName(self.moduleName)
            return node

        def getParameterNode(self):
            node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            return node or slicer.mrmlScene.AddNode(self.createParameterNode())

    class ScriptedLoadableModuleTest(unittest.TestCase):
        def __init__(self, *arguments, **named):
            super().__init__(*arguments, **named)
            self.delayMultiplier = 1.0
            self.messageDelay = 0

        def runTest(self):
            pass

        def delayDisplay(self, message, requestedDelay=None, msec=None):
            logging.info(message)
            slicer.app.processEvents()

        def takeScreenshot(self, name, description="", type=-1):
            pass

    for cls in (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    ):
        cls.__module__ = module.__name__
        setattr(module, cls.__name__, cls)
    return module


def _resourcePath(moduleName: str, filename: str) -> str:
    import slicer

    return str(Path(slicer.util.modulePath(moduleName)).parent / "Resources" / filename)
