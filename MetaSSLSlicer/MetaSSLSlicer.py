"""The entry points of the module: what Slicer itself looks for. What they do is in MetaSSLSlicerLib."""

import sys

import slicer
import slicer.util
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

PACKAGES = ("MetaSSLSlicerLib", "metassl")


class MetaSSLSlicer(ScriptedLoadableModule):
    """What Slicer shows about the module before it is opened."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MetaSSL")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Active Learning")]
        self.parent.dependencies = ["Segmentations", "SegmentEditor"]
        self.parent.contributors = ["MetaSSLSlicer contributors"]
        self.parent.helpText = _(
            "Label a few cases, press Train, and review the rest where the model itself says it is unsure. "
            "Training runs in the background and goes on when Slicer is closed. Every prediction comes with a map of "
            "four regions: the two networks agree (unanimous) or differ (discrepant), and are confident or suspicious "
            "about it. Research software, not for clinical decisions. "
            '<a href="https://github.com/MetaSSLSlicer/SlicerMetaSSL">More information</a>'
        )
        self.parent.acknowledgementText = _(
            "The method is MetaSSL: Zhao et al., IEEE Transactions on Medical Imaging, 2025, "
            '<a href="https://doi.org/10.48550/arXiv.2509.01144">doi:10.48550/arXiv.2509.01144</a>. '
            "This is an independent implementation of it."
        )
        slicer.app.connect("startupCompleted()", self.registerSampleData)

    def registerSampleData(self):
        """Offer the made-up cohort in Slicer's module Sample Data."""
        from MetaSSLSlicerLib.Logic.Project.SampleProject import registerSampleData

        registerSampleData(self.openSample, self.resourcePath("Icons/MetaSSLSlicer.png"))

    def openSample(self):
        """Show the panel and open the sample project in it."""
        slicer.util.selectModule(self.moduleName)
        slicer.util.getModuleWidget(self.moduleName).panel.projectWidget.openSample()


class MetaSSLSlicerWidget(ScriptedLoadableModuleWidget):
    """Builds the panel when the module is first opened, and passes on what Slicer tells it."""

    def __init__(self, parent=None):
        self.panel = None
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self):
        """Build the panel."""
        ScriptedLoadableModuleWidget.setup(self)
        from MetaSSLSlicerLib.Widgets.PanelWidget import PanelWidget

        self.logic = MetaSSLSlicerLogic()
        session = self.logic.makeSession()
        try:
            self.panel = PanelWidget(session)
        except Exception:
            session.shutdown()  # its observers and threads would outlive it, and Slicer would crash when it ends
            raise
        self.layout.addWidget(self.panel.widget)
        # Slicer unloads its modules after the main window is gone, and half of the application with it
        slicer.app.connect("aboutToQuit()", self.cleanup)

    def cleanup(self):
        """The module is closed or reloaded, or Slicer ends: save what is unsaved. A training goes on."""
        if self.panel is not None:
            panel, self.panel = self.panel, None
            panel.cleanup()
            slicer.app.disconnect("aboutToQuit()", self.cleanup)

    def enter(self):
        """The module is shown."""
        if self.panel is not None:
            self.panel.enter()

    def exit(self):
        """Another module is shown."""
        if self.panel is not None:
            self.panel.exit()

    def onReload(self):
        """For developers: read our packages anew, too."""
        self.cleanup()
        for name in [name for name in sys.modules if name.split(".")[0] in PACKAGES]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)
        slicer.util.getModuleWidget(self.moduleName).enter()


class MetaSSLSlicerLogic(ScriptedLoadableModuleLogic):
    """For scripts: `slicer.util.getModuleLogic("MetaSSLSlicer").makeSession()` opens projects without the panel."""

    def makeSession(self):
        """A new session (MetaSSLSlicerLib.Logic.Case.Session) on the application's scene."""
        from MetaSSLSlicerLib.Logic.Case.Session import Session
        from MetaSSLSlicerLib.Logic.Scene.BackgroundTasks import BackgroundTasks
        from MetaSSLSlicerLib.Logic.Scene.SlicerServices import SlicerServices

        return Session(SlicerServices.ofThisSlicer(), BackgroundTasks())


class MetaSSLSlicerTest(ScriptedLoadableModuleTest):
    """The self test: the whole loop in the running application."""

    def runTest(self, **_options):
        """Run the loop once."""
        self.test_theWholeLoop()

    def test_theWholeLoop(self):
        """Make a project, annotate, train where torch is there, review, accept."""
        from MetaSSLSlicerLib.SelfTest import SelfTest

        SelfTest(self.delayDisplay).run()
