"""Cases from Slicer's DICOM database, through the whole loop."""

from __future__ import annotations

from pathlib import Path

from desktop_slicer import DesktopSlicer
from journey import Journey
from journeys.opening import (
    ANNOTATE,
    PROJECT,
    REVIEW,
    SESSION,
    beginTraining,
    drawnVoxels,
    finishTraining,
    openCase,
    openModule,
    openNext,
    paintButton,
    waitForTasks,
)

_PATIENTS, _LABELLED = 4, 2
_MINUTES = 0.2
_FORM = f"{PROJECT}.newProject"


class Dicom(Journey):
    """Made-up CT series."""

    title = "Cases from the DICOM database"

    def stepImport(self, slicer: DesktopSlicer) -> str:
        """Series are imported and loaded"""
        openModule(slicer, self.python)
        folder, database = str(slicer.folder / "dicom"), slicer.folder / "database"
        database.mkdir()
        loaded = slicer.ask(
            f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
import made_up_dicom
made_up_dicom.writeSeries(Path({folder!r}), {_PATIENTS})
from DICOMLib import DICOMUtils
DICOMUtils.openDatabase({str(database)!r})
DICOMUtils.importDicom({folder!r})
database = slicer.dicomDatabase
for patient in database.patients():
    DICOMUtils.loadPatientByUID(patient)
answer = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
""",
            seconds=240,
        )
        assert loaded == _PATIENTS, loaded
        return f"{loaded} volumes"

    def stepProject(self, slicer: DesktopSlicer) -> str:
        """They become a project; no name of a patient is in its files"""
        slicer.click(f"{PROJECT}.ui.newButton", scroll=True)
        slicer.ask(f"{_FORM}.ui.sceneSource.setChecked(True)")
        slicer.wait(f"{_FORM}.ui.volumeList.count == {_PATIENTS}", 20, "the list of volumes")
        slicer.click(f"{_FORM}.ui.createButton", scroll=True)
        slicer.wait(f"{SESSION}.project is not None", 60, "the project")
        waitForTasks(slicer)
        cases = slicer.value(f"sorted({SESSION}.project.cases)")
        folder = Path(slicer.value(f"str({SESSION}.project.path)"))
        for path in folder.rglob("*"):
            if path.is_file():
                assert b"Made^Up" not in path.read_bytes(), f"{path} names a patient"
        return ", ".join(cases)

    def stepAnnotate(self, slicer: DesktopSlicer) -> str:
        """Two cases are drawn with the mouse and saved"""
        counts = []
        for case in slicer.value(f"sorted({SESSION}.project.cases)")[:_LABELLED]:
            openCase(slicer, case)
            slicer.wait(f"{SESSION}.case.isEditing", 10, "editing to begin")
            slicer.click(paintButton("Paint"), scroll=True)
            slicer.ask(f"{ANNOTATE}.editor.activeEffect().setParameter('BrushSphere', 1)")
            x, y = slicer.value("spot(sliceView('Red'))")
            slicer.drag([(x - 20, y), (x + 20, y), (x, y + 20)])
            slicer.wait(f"{SESSION}.case.isModified", 20, "the stroke to be noticed")
            counts.append(drawnVoxels(slicer))
            assert counts[-1] > 0, "nothing was drawn"
            slicer.click(f"{ANNOTATE}.ui.saveButton", scroll=True)
            slicer.wait(f"{SESSION}.project.case({case!r}).is_labelled", 20, "the label")
            waitForTasks(slicer)
        return ", ".join(f"{count} voxels" for count in counts)

    def stepTrain(self, slicer: DesktopSlicer) -> str:
        """Training, and a case is reviewed and accepted"""
        slicer.ask(f"{SESSION}.closeCase()")
        beginTraining(slicer, _MINUTES)
        finishTraining(slicer)
        case = openNext(slicer)
        slicer.ask(f"{REVIEW}.ui.goOnCheck.checked = False")
        slicer.key("shift+a")
        slicer.wait(f"{SESSION}.project.case({case!r}).state == 'accepted'", 20, "the case to be accepted")
        return case

    def stepQuit(self, slicer: DesktopSlicer) -> None:
        """Slicer ends without a crash"""
        slicer.quit()
