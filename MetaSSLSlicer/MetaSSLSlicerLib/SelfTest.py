"""The self test that runs inside desktop Slicer: a tiny project, once through the whole loop.

Its panel, project and settings are its own; the user's project, case, views and settings are afterwards as before.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import slicer
import slicer.util
from metassl.files import MetaSSLError, write_json
from metassl.imaging import Geometry, write_array
from metassl.project import Case, LabelDefinition, Project
from metassl.project.regions import REGIONS

from .Logic.Case.CaseSegmentation import setArray
from .Logic.Case.Session import Session
from .Logic.Scene.BackgroundTasks import BackgroundTasks
from .Logic.Scene.SlicerServices import nodesOfClass
from .Logic.Training.TrainingOptions import TrainingOptions
from .Translation import _
from .Widgets.EngineWidget import PYTHON_KEY
from .Widgets.PanelWidget import PanelWidget
from .Widgets.userSettings import settingsIn

CASES, LABELLED, STEPS = 5, 2, 20
SHAPE_ZYX = (16, 24, 24)
TRAINING_S, PATIENCE_S = 300.0, 60.0


class SelfTest:
    """`say(text)` shows what is going on. `panel`: the user's, by default the module's. Raises AssertionError."""

    def __init__(self, say: Callable[[str], object], panel=None) -> None:
        self._say = say
        self._users = panel or slicer.util.getModuleWidget("MetaSSLSlicer").panel
        self._panel = self._session = None

    def run(self) -> None:
        """The whole loop; the folder that it needs is gone afterwards."""
        users = self._users
        with _temporaryFolder() as folder, settingsIn(folder / "settings.ini") as settings, _setAside(users.session):
            settings.setValue(PYTHON_KEY, users.engine.path)  # the one that is to train is what is tested
            self._session = Session(users.session.services, BackgroundTasks())
            self._panel = PanelWidget(self._session)
            try:
                self._run(folder / "project")
            finally:
                self._session.closeProject()
                self._panel.cleanup()

    def _run(self, folder: Path) -> None:
        self._say(_("A project of {count} volumes").format(count=CASES))
        self._makeProject(folder)
        self._session.openProject(folder)
        for number in range(LABELLED):
            self._annotate(f"case_{number}")
        if self._engineIsReady():
            self._say(_("A short training in the background"))
            self._train()
        else:
            self._say(_("Packages for training are missing: that part is skipped, and a prediction is made up"))
            self._makeUpPredictions()
        self._review()
        self._say(_("The loop works"))

    # The steps

    def _annotate(self, caseId: str) -> None:
        self._say(_("Drawing on {case}").format(case=caseId))
        case = self._open(caseId)
        mask = _ball(int(caseId[-1])).astype(np.uint8)
        setArray(case.nodes.annotationNode, case.data.geometry, self._project.labels, mask)
        self._session.writes.saveLabel()
        self._wait(lambda: self._project.case(caseId).is_labelled, _("the label to be saved"))
        assert np.array_equal(self._project.read_label(caseId)[0], mask)

    def _train(self) -> None:
        job = self._panel.job
        job.start(TrainingOptions(iterations=STEPS, device="cpu"))

        def isOver() -> bool:
            job.tick()
            assert job.problem is None, job.problem
            return job.status is not None and job.status.is_over

        self._wait(isOver, _("the training to end"), TRAINING_S)
        assert job.status.state == "finished", job.status

    def _review(self) -> None:
        caseId = next(iter(sorted(set(self._project.predictions()) - {c.id for c in self._project.labelled_cases()})))
        self._say(_("Reviewing {case}").format(case=caseId))
        case = self._open(caseId)
        assert case.hasPrediction and case.nodes.regionsNode is not None
        composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        assert all(node.GetLabelVolumeID() == case.nodes.regionsNode.GetID() for node in composites)
        review = self._panel.reviewWidget
        self._wait(lambda: not self._session.tasks.busy, _("the uncertain places to be found"))
        for _index in range(min(3, len(review.navigator.places))):
            review.actions["nextSpot"]()
        review.ui.goOnCheck.checked = False
        review.actions["correct"]()
        assert all(node.GetLabelVolumeID() == case.nodes.regionsNode.GetID() for node in composites)
        review.actions["accept"]()
        self._wait(lambda: self._project.case(caseId).is_labelled, _("the case to be accepted"))

    # What they need

    @property
    def _project(self) -> Project:
        return self._session.project

    def _makeProject(self, folder: Path) -> None:
        project = Project.create(folder, "Self test", [LabelDefinition(1, "Ball")], ["image"])
        geometry = Geometry(SHAPE_ZYX[::-1], (1.0, 1.0, 1.5), (-12.0, -12.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
        cases = []
        for number in range(CASES):
            noise = np.random.default_rng(number).normal(100, 10, SHAPE_ZYX)
            image = (noise + 80 * _ball(number)).astype(np.int16)
            path = folder / "images" / f"case_{number}.nrrd"
            path.parent.mkdir(exist_ok=True)
            write_array(path, image, geometry)
            cases.append(Case(f"case_{number}", [str(path)]))
        project.add_cases(cases)

    def _makeUpPredictions(self) -> None:
        made = self._project.new_round({"config": {}, "labels": {}})
        for number in range(LABELLED, CASES):
            caseId = f"case_{number}"
            paths, ball = made.prediction(caseId), _ball(number)
            paths.folder.mkdir(parents=True)
            regions = np.where(ball, 1, 0) + 3 * (ball ^ np.roll(ball, 1, 0)).astype(np.uint8)
            geometry = self._open(caseId).data.geometry
            voxels = {region.key: int((regions == region.value).sum()) for region in REGIONS}
            write_array(paths.segmentation, ball.astype(np.uint8), geometry)
            write_array(paths.regions, np.clip(regions, 0, 4).astype(np.uint8), geometry)
            write_array(paths.uncertainty, ball.astype(np.float32) / 2, geometry)
            write_json(paths.summary, {"case": caseId, "round": made.number, "voxels": voxels, "error_rates": None})
            self._project.mark_predicted([caseId])

    def _engineIsReady(self) -> bool:
        setup = self._panel.engineWidget.setup
        setup.lookAgain()
        return setup.state != "missing"

    def _open(self, caseId: str):
        if self._session.case is not None and self._session.case.id == caseId:
            self._session.closeCase()
        self._session.openCase(caseId)
        self._wait(lambda: self._session.case is not None, _("the case to open"))
        assert self._session.case.id == caseId
        return self._session.case

    def _wait(self, isDone: Callable[[], bool], what: str, seconds: float = PATIENCE_S) -> None:
        end = time.monotonic() + seconds
        while not isDone():
            assert time.monotonic() < end, _("waited too long for {what}").format(what=what)
            slicer.app.processEvents()
            self._session.tasks.pump()
            time.sleep(0.01)


def _ball(number: int) -> np.ndarray:
    """Where the structure lies in a case: bool (z, y, x)."""
    z, y, x = np.ogrid[: SHAPE_ZYX[0], : SHAPE_ZYX[1], : SHAPE_ZYX[2]]
    return (z - 8) ** 2 * 2 + (y - 11 - number % 3) ** 2 + (x - 12) ** 2 < 36


@contextmanager
def _temporaryFolder() -> Iterator[Path]:
    """A folder that is gone afterwards, as far as its files can be deleted."""
    folder = Path(tempfile.mkdtemp(prefix="metassl-test-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _setAside(session: Session) -> Iterator[None]:
    """Close what is open in `session`, and open it again at the end; unsaved edits come back out of the autosave."""
    project = session.project
    caseId = session.loadingCase if session.case is None else session.case.id
    wasEditing = session.case is not None and session.case.isEditing
    bringBackViews = _views(session.services.scene)
    session.closeProject()
    try:
        yield
    finally:
        if project is not None:
            _openAgain(session, project.path, caseId, wasEditing)
        bringBackViews(session.case is None)


def _openAgain(session: Session, path, caseId: str | None, wasEditing: bool) -> None:
    try:
        session.openProject(path)
    except MetaSSLError as error:
        session.fail(error)
        return
    if caseId is None:
        return
    session.openCase(caseId)
    end = time.monotonic() + PATIENCE_S
    while session.loadingCase is not None and time.monotonic() < end:
        slicer.app.processEvents()
        session.tasks.pump()
    if session.case is not None and wasEditing and not session.case.isEditing:
        session.case.startEditing()


def _views(scene) -> Callable[[bool], None]:
    """What brings the slice views back to where they are now; with True, also which images they show."""
    places = [
        (node, slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()), node.GetFieldOfView(), node.GetXYZOrigin())
        for node in nodesOfClass(scene, "vtkMRMLSliceNode")
    ]
    layers = [
        (node, node.GetBackgroundVolumeID(), node.GetForegroundVolumeID(), node.GetLabelVolumeID())
        for node in nodesOfClass(scene, "vtkMRMLSliceCompositeNode")
    ]

    def bringBack(withImages: bool) -> None:
        for node, *volumes in layers if withImages else []:
            there = [each if each is not None and scene.GetNodeByID(each) is not None else None for each in volumes]
            node.SetBackgroundVolumeID(there[0])
            node.SetForegroundVolumeID(there[1])
            node.SetLabelVolumeID(there[2])
        for node, matrix, size, origin in places:
            node.GetSliceToRAS().DeepCopy(matrix.ravel())
            node.SetFieldOfView(*size)
            node.SetXYZOrigin(*origin)
            node.UpdateMatrices()

    return bringBack
