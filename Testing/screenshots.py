"""Pictures of every state of the panel, and of the views, for Resources/Screenshots: `make screenshots`.

The panel is drawn in the harness (Testing/harness), the slice views by Slicer's core. The images are the made-up
cohort of `metassl sample`; the training is a real one, of two minutes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "MetaSSLSlicer"), str(ROOT / "Testing" / "harness"), str(ROOT / "Testing" / "support")]

from slicerharness.Harness import Harness  # noqa: E402
from slicerharness.Install import install  # noqa: E402

install()

import numpy as np  # noqa: E402
import qt  # noqa: E402
import slicer  # noqa: E402
from MetaSSLSlicerLib.Grid import ijkToRas  # noqa: E402
from MetaSSLSlicerLib.Logic.SampleProject import makeSampleProject  # noqa: E402
from MetaSSLSlicerLib.Logic.TrainingOptions import TrainingOptions  # noqa: E402
from MetaSSLSlicerLib.Widgets.NewProjectWidget import PARENT_SETTING  # noqa: E402
from painting import paintSegment  # noqa: E402
from PIL import Image  # noqa: E402

import MetaSSLSlicer  # noqa: E402

OUT = ROOT / "Resources" / "Screenshots"
WIDTHS = (380, 600)
MINUTES = 2.0
VIEW, GAP = 300, 4


class Screenshots:
    """Goes through the loop and looks at it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.harness = Harness(OUT)
        self.harness.reset()
        self.harness.registerModule(MetaSSLSlicer.__file__)
        qt.QSettings().setValue(PARENT_SETTING, "/home/you/MetaSSL")
        self.widget = MetaSSLSlicer.MetaSSLSlicerWidget()
        self.widget.enter()
        self.panel = self.widget.panel

    def run(self) -> None:
        """Every state, in the order in which a user meets them."""
        panel, session = self.panel, self.panel.session
        self.settle()
        self.take("1_no_project")
        project = makeSampleProject(self.folder)
        form = panel.projectWidget
        form.beginNew()
        form.newProject.ui.folderSource.setChecked(True)
        form.newProject.ui.imagesEdit.text = str(self.folder / "images")
        self.settle(700)
        self.take("2_new_project", form.widget)
        form.openProject(project)
        self.settle(500)
        self.take("3_project")
        case = self.open("case_04")
        paintSegment(case.nodes.annotationNode, "Label_1", _box(case), case.data.geometry)
        self.settle(700)
        self.take("4_annotate", panel.annotateWidget.widget)
        session.closeCase()
        panel.job.start(TrainingOptions(minutes=MINUTES))
        self.harness.wait(lambda: (s := panel.job.status) and s.stage == "training" and len(panel.job.curve) > 5, 120)
        self.settle(600)
        self.take("5_training", panel.trainWidget.widget)
        self.harness.wait(lambda: panel.job.status.is_over, 600)
        self.settle(1500)
        self.take("6_predicted")
        panel.casesWidget.openNext()
        self.harness.wait(lambda: session.case is not None)
        self.settle(300)
        panel.reviewWidget.actions["nextSpot"]()
        self.settle(100)
        self.take("7_review", panel.reviewWidget.widget)
        self.lookAtStructures()
        self.views("views_regions")
        panel.reviewWidget.ui.modeCombo.setCurrentIndex(1)
        self.settle(500)
        self.take("8_uncertainty", panel.reviewWidget.widget)
        self.views("views_uncertainty")
        panel.reviewWidget.ui.modeCombo.setCurrentIndex(0)
        panel.reviewWidget.actions["correct"]()
        self.settle(100)
        self.take("9_correct")
        self.take("10_rounds", panel.roundsWidget.widget)
        panel.engineWidget.open()
        self.harness.wait(lambda: panel.engineWidget.setup.state == "ready", 60)
        self.settle(200)
        self.take("11_setup", panel.engineWidget.widget)
        session.closeCase()
        session.project.image_paths("case_05")[0].unlink()
        session.openCase("case_05")
        self.settle(200)
        self.take("12_error")
        self.widget.cleanup()

    def open(self, caseId: str):
        """Open a case and wait for it."""
        session = self.panel.session
        session.openCase(caseId)
        self.harness.wait(lambda: session.case is not None and session.case.id == caseId)
        self.settle(100)
        return session.case

    def settle(self, ms: float = 200) -> None:
        """Let the panel come to rest."""
        self.harness.process(ms)
        self.harness.wait(lambda: not self.panel.session.tasks.busy, 60)
        self.harness.process(20)

    def take(self, name: str, part=None) -> None:
        """One picture for each width: of the whole panel, or of a part of it."""
        for width in WIDTHS:
            self.harness.grab(self.widget.parent, f"panel_{name}_{width}", width=width)
            self.harness.process(600)  # the curve is drawn anew
            self.harness.grab(self.widget.parent, f"panel_{name}_{width}", width=width)
            if part is not None:
                part.grab().save(str(OUT / f"panel_{name}_{width}.png"))

    def lookAtStructures(self) -> None:
        """All views at the middle of what was predicted, as large as fits."""
        case = self.panel.session.case
        middle = np.argwhere(case.data.prediction.segmentation > 0).mean(axis=0)[::-1]
        ras = (ijkToRas(case.data.geometry) @ [*middle, 1.0])[:3]
        self.harness.services.applicationLogic.FitSliceToAll(False, False)
        slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *ras, slicer.vtkMRMLSliceNode.OffsetJumpSlice)

    def views(self, name: str) -> None:
        """The three slice views side by side."""
        grabbed = [view.grab() for view in self.harness.services.sliceViews.values()]
        pictures = [np.array(Image.fromarray(picture).resize((VIEW, VIEW))) for picture in grabbed]
        row = np.zeros((VIEW, len(pictures) * (VIEW + GAP) - GAP, 3), np.uint8)
        for index, picture in enumerate(pictures):
            row[:, index * (VIEW + GAP) : index * (VIEW + GAP) + VIEW] = picture
        Image.fromarray(row).save(OUT / f"{name}.png")


def _box(case) -> np.ndarray:
    """Where the picture shows something drawn."""
    array = np.zeros(case.data.geometry.shape_zyx, bool)
    array[tuple(slice(n // 3, n // 2) for n in array.shape)] = True
    return array


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="metassl-pictures-", ignore_cleanup_errors=True) as made:
        Screenshots(Path(made) / "MetaSSL sample").run()
