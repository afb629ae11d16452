"""The module's own self test, as *Reload and Test* runs it."""

from __future__ import annotations

from desktop_slicer import DesktopSlicer
from journey import Journey
from journeys.opening import SESSION, openModule

_SELF_TEST_S = 420.0


class SelfTest(Journey):
    """On settings and a project of its own."""

    title = "The self test of the module"

    def stepOpen(self, slicer: DesktopSlicer) -> None:
        """The module opens, and its panel is not empty"""
        openModule(slicer, self.python)
        assert slicer.value("panel().projectWidget.ui.sampleButton.isVisible()"), "the panel shows no button"

    def stepRun(self, slicer: DesktopSlicer) -> None:
        """The self test passes"""
        slicer.ask("import MetaSSLSlicer; MetaSSLSlicer.MetaSSLSlicerTest().runTest()", seconds=_SELF_TEST_S)

    def stepLeavesNothing(self, slicer: DesktopSlicer) -> None:
        """It leaves nothing: no project, no node, no recent project"""
        assert slicer.value(f"{SESSION}.project is None")
        recent = slicer.value('str(qt.QSettings().value("MetaSSL/recentProjects", ""))')
        assert "metassl-test" not in recent, recent

    def stepReload(self, slicer: DesktopSlicer) -> None:
        """The module is reloaded, and opens again"""
        slicer.ask("slicer.util.getModuleWidget('MetaSSLSlicer').onReload()")
        slicer.wait("panel() is not None and panel().widget.isVisible()", what="the panel after a reload")

    def stepQuit(self, slicer: DesktopSlicer) -> None:
        """Slicer ends without a crash"""
        slicer.quit()
