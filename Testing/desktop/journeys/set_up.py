"""What is set up once: machines to train on, and a project that begins with a model."""

from __future__ import annotations

from desktop_slicer import DesktopSlicer
from journey import Journey
from journeys.opening import (
    CASES,
    PROJECT,
    ROUNDS,
    SESSION,
    TRAIN,
    beginTraining,
    finishTraining,
    openModule,
    openNext,
    openSample,
    waitForTasks,
)

_MINUTES = 0.2
_MACHINE = f"{TRAIN}._machines.form.ui"
_NEW = f"{PROJECT}.newProject.ui"


class SetUp(Journey):
    """The sample, trained for seconds, is the model of a second project on its own images."""

    title = "Machines and models"

    def stepTrain(self, slicer: DesktopSlicer) -> None:
        """The sample is trained"""
        openModule(slicer, self.python)
        openSample(slicer)
        beginTraining(slicer, _MINUTES)
        finishTraining(slicer)
        self._model = slicer.value(f"str({SESSION}.project.path)")
        self._images = slicer.value(
            f"str({SESSION}.project.image_paths(next(iter({SESSION}.project.cases)))[0].parent)"
        )

    def stepHost(self, slicer: DesktopSlicer) -> str:
        """A host that is not there: its test says so"""
        slicer.click(f"{TRAIN}.ui.machinesButton", scroll=True)
        self._fill(slicer, f"{_MACHINE}.nameEdit", "gpu-room")
        self._fill(slicer, f"{_MACHINE}.hostEdit", "nobody@no-such-host.invalid")
        text = self._test(slicer)
        assert "no-such-host.invalid" in text or "ssh" in text, text
        return text

    def stepSlurm(self, slicer: DesktopSlicer) -> str:
        """Slurm where there is none: its test says so"""
        slicer.ask(
            f"""
combo = {_MACHINE}.kindComboBox
combo.setCurrentIndex([combo.itemData(index) for index in range(combo.count)].index("slurm"))
"""
        )
        self._fill(slicer, f"{_MACHINE}.nameEdit", "cluster")
        text = self._test(slicer)
        assert "Slurm" in text and "login node" in text, text
        return text.replace("\n", "; ")

    def stepChoose(self, slicer: DesktopSlicer) -> str:
        """A machine that is chosen and not ready is said to be so before Train"""
        slicer.ask(f"{TRAIN}.ui.machineComboBox.setCurrentIndex({TRAIN}.ui.machineComboBox.findText('gpu-room'))")
        text = slicer.wait(f"'not ready' in {TRAIN}.ui.deviceLabel.text and {TRAIN}.ui.deviceLabel.text", 10)
        slicer.ask(f"{TRAIN}.ui.machineComboBox.setCurrentIndex(0)")
        slicer.click(f"{TRAIN}.ui.machinesButton", scroll=True)
        assert not slicer.value(f"{_MACHINE}.nameEdit.isVisible()"), "the form is not folded"
        return text

    def stepNoModel(self, slicer: DesktopSlicer) -> str:
        """New project: a folder without a model is told at once, and no project is made of it"""
        slicer.ask(f"{SESSION}.closeProject()")
        slicer.click(f"{PROJECT}.ui.newButton", scroll=True)
        self._fill(slicer, f"{_NEW}.imagesEdit", self._images)
        self._fill(slicer, f"{_NEW}.modelEdit", self._images)
        return slicer.wait(f"'no model' in {_NEW}.modelFoundLabel.text and {_NEW}.modelFoundLabel.text", 20)

    def stepModel(self, slicer: DesktopSlicer) -> str:
        """A project as the model: its structures become those of the new one"""
        self._fill(slicer, f"{_NEW}.modelEdit", self._model)
        told = slicer.wait(f"'predicts with it' in {_NEW}.modelFoundLabel.text and {_NEW}.modelFoundLabel.text", 20)
        self._fill(slicer, f"{_NEW}.pathEdit", str(slicer.folder / "from_model"))
        slicer.wait(f"bringIntoView({_NEW}.createButton) or seen({_NEW}.modelFoundLabel)", 10, "what the model knows")
        slicer.click(f"{_NEW}.createButton")
        slicer.wait(f"{SESSION}.project is not None", 60, "the project")
        waitForTasks(slicer)
        return told

    def stepChoices(self, slicer: DesktopSlicer) -> str:
        """Quality, how many to predict, and how the images are seen"""
        texts = {}
        slicer.ask(f"{TRAIN}.ui.advancedGroup.collapsed = False")
        for name in ("presetComboBox", "predictComboBox", "planComboBox", "piecesComboBox"):
            combo = f"{TRAIN}.ui.{name}"
            slicer.wait(f"bringIntoView({combo}) or seen({combo})", 10, f"{name} to be in view")
            texts[name] = slicer.value(f"[{combo}.itemText(index) for index in range({combo}.count)]")
            assert len(texts[name]) == (2 if name == "piecesComboBox" else 3), texts
        slicer.ask(f"{TRAIN}.ui.predictComboBox.setCurrentIndex(1)")
        assert "20" in texts["predictComboBox"][1], texts
        return "; ".join(", ".join(each) for each in texts.values())

    def stepPredict(self, slicer: DesktopSlicer) -> str:
        """Predict with the model: round 0 predicts the next 20 cases"""
        slicer.wait(f"{TRAIN}.ui.trainButton.enabled", 30, "the button")
        assert slicer.value(f"{TRAIN}.ui.trainButton.text") == "Predict with the model"
        slicer.click(f"{TRAIN}.ui.trainButton", scroll=True)
        slicer.wait(f"{TRAIN}.job.isRunning", 60, "the model to begin")
        finishTraining(slicer, 0)
        predicted = slicer.value(f"len({SESSION}.project.predictions())")
        assert predicted == 20, predicted
        slicer.ask(f"bringIntoView({ROUNDS}.ui.table)")
        return f"{predicted} cases"

    def stepNext(self, slicer: DesktopSlicer) -> str:
        """The first of them opens, and says that round 0 predicted it"""
        slicer.ask(f"bringIntoView({CASES}.ui.nextButton)")
        openNext(slicer)
        return slicer.wait("'round 0' in panel().caseBar.label.text and panel().caseBar.label.text", 10)

    def stepQuit(self, slicer: DesktopSlicer) -> None:
        """Slicer ends without a crash"""
        slicer.quit()

    @staticmethod
    def _fill(slicer: DesktopSlicer, edit: str, text: str) -> None:
        slicer.click(edit, scroll=True)
        slicer.key("ctrl+a")
        slicer.type(text)
        slicer.wait(f"{edit}.text == {text!r}", 20, f"{text} to be typed")

    @staticmethod
    def _test(slicer: DesktopSlicer) -> str:
        former = slicer.value(f"{_MACHINE}.checksLabel.text")
        slicer.click(f"{_MACHINE}.testButton", scroll=True)
        new = f"{_MACHINE}.testButton.enabled and {_MACHINE}.checksLabel.text not in ('', {former!r})"
        slicer.wait(f"{new} and {_MACHINE}.checksLabel.isVisible()", 60, "the test")
        return slicer.value(f"{_MACHINE}.checksLabel.text")
