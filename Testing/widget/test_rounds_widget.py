"""The section "Rounds", used as a person would."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import qt
from metassl.choices.exporters import EXPORTERS
from metassl.files import write_json
from metassl.imaging import write_array
from metassl.jobs import JobWriter
from metassl.project import Project
from metassl.project.terms import exact_term, without_term
from MetaSSLSlicerLib.Widgets.RoundsWidget import RoundsWidget


@pytest.fixture
def folder(tmp_path):
    """The folder that the user chooses for an export."""
    return tmp_path / "elsewhere"


@pytest.fixture
def asked() -> list[str]:
    """What the user was asked; the answer is yes."""
    return []


@pytest.fixture
def section(session, folder, asked):
    def confirm(question: str) -> bool:
        asked.append(question)
        return True

    section = RoundsWidget(session, chooseFolder=lambda title, start: str(folder), confirm=confirm)
    section.widget.resize(380, 400)
    section.widget.show()
    yield section
    section.cleanup()


def train(project, dice: float, prediction: np.ndarray, geometry, labels: int = 2, device: str = "NVIDIA H100") -> None:
    """A finished round that predicted case_3."""
    parent = project.latest_round()
    record = {"config": {}, "labels": {f"case_{number}": "a" * 64 for number in range(labels)}}
    found = project.new_round({**record, "parent": None if parent is None else parent.number})
    paths = found.prediction("case_3")
    paths.folder.mkdir(parents=True)
    regions = np.ones_like(prediction)
    regions[2:4] = 4
    write_array(paths.segmentation, prediction, geometry)
    write_array(paths.regions, regions, geometry)
    write_array(paths.uncertainty, np.zeros(prediction.shape, np.float32), geometry)
    voxels = {"UC": 9, "US": 1, "DC": 1, "DS": 1}
    write_json(paths.summary, {"case": "case_3", "uncertainty": {"US": 0.1, "DC": 0.1, "DS": 0.1}, "voxels": voxels})
    begun = (datetime.now(UTC) - timedelta(seconds=242)).isoformat()
    started = {"seq": 1, "time": begun, "event": "started", "device": "cuda", "device_name": device}
    found.events_path.write_text(json.dumps(started) + "\n", encoding="utf-8")
    events = JobWriter(found, every_s=0.0)
    events.write("validation", step=9, dice={"mean": dice, "per_class": {"Front": dice - 0.05, "Back": dice + 0.05}})
    events.write("finished", seconds=1.0)
    found.model_path.write_bytes(b"model")
    project.mark_predicted(["case_3"])


@pytest.fixture
def trained(tiny_project, make_case, make_grid):
    """Two rounds; the first one saw nothing but the structure 1 in case_3."""
    labels = make_case(3)[1]
    train(tiny_project, 0.71, np.where(labels == 1, 1, 0).astype(np.uint8), make_grid())
    train(tiny_project, 0.84, labels, make_grid(), labels=3)
    return tiny_project


def open_(harness, session, section, project) -> None:
    session.openProject(project.path)
    harness.wait(lambda: len(section.model.rows) == len(project.rounds()))


def texts(section, place: int) -> list[str]:
    model = section.model.model
    return [model.data(model.index(place, column), qt.Qt.DisplayRole) for column in range(model.columnCount())]


def select(section, number: int) -> None:
    section.ui.table.setCurrentIndex(section.model.model.index(section.model.placeOf(number), 0))


def openCase(harness, session, caseId: str) -> None:
    session.openCase(caseId)
    harness.wait(lambda: session.case is not None and session.case.id == caseId)


def test_before_any_training_the_section_says_so(harness, session, section, tiny_project):
    session.openProject(tiny_project.path)
    harness.wait(lambda: not section.reader.isBusy)
    assert section.ui.roundLabel.text.startswith("No training yet")
    assert not section.ui.table.visible
    assert not section.ui.useButton.enabled


def test_rounds_are_listed_with_the_newest_first(harness, session, section, trained):
    open_(harness, session, section, trained)
    assert [texts(section, place)[0] for place in range(2)] == ["2", "1"]
    number, _, labels, dice, device, time, state = texts(section, 0)
    assert (labels, dice, device, state) == ("3", "0.84", "H100", "finished")
    assert time in ("4\u00a0min 2\u00a0s", "4\u00a0min 3\u00a0s")
    assert section.ui.roundLabel.text.startswith("Round 2 of ")
    assert "3 labels, from the model of round 1, NVIDIA H100" in section.ui.roundLabel.text
    assert "Validation Dice 0.84 (Front 0.79, Back 0.89)" in section.ui.roundLabel.text
    assert "Its predictions are shown. The next training starts from it." in section.ui.roundLabel.text
    assert not section.ui.useButton.enabled and not section.ui.newestButton.enabled


def test_the_time_of_a_round_of_minutes_and_seconds_is_not_cut(harness, session, section, trained):
    import qt
    from MetaSSLSlicerLib.Logic.Project.RoundTable import timeText
    from MetaSSLSlicerLib.Widgets.Parts.RoundTableModel import TIME

    table = section.ui.table
    needed = qt.QFontMetrics(table.font).horizontalAdvance(timeText(4 * 60 + 21))
    assert table.columnWidth(TIME) >= needed + 6


def test_the_predictions_of_an_older_round_are_shown_and_the_open_case_follows(harness, session, section, trained):
    open_(harness, session, section, trained)
    openCase(harness, session, "case_3")
    assert session.case.data.prediction.round == 2
    told = []
    session.casesChanged.connect(told.append)
    select(section, 1)
    section.ui.useButton.click()
    harness.wait(lambda: session.case is not None and session.case.data.prediction.round == 1)
    assert told == [None]
    assert session.messages[-1].text == "The predictions of round 1 are shown now."
    harness.wait(lambda: "Its predictions are shown." in section.ui.roundLabel.text)
    assert "The next training starts from it." not in section.ui.roundLabel.text
    assert section.ui.newestButton.enabled


def test_rolling_back_and_returning_to_the_newest_round(harness, session, section, trained):
    open_(harness, session, section, trained)
    select(section, 1)
    section.ui.startButton.click()
    harness.wait(lambda: "The next training starts from it." in section.ui.roundLabel.text)
    assert Project.open(trained.path).start_round().number == 1
    assert Project.open(trained.path).shown_round().number == 1
    harness.wait(lambda: section.ui.newestButton.enabled)
    section.ui.newestButton.click()
    harness.wait(lambda: not section.ui.newestButton.enabled)
    assert Project.open(trained.path).settings == {}
    assert trained.round(2).model_path.exists()


def test_a_choice_that_another_program_made_is_seen_on_entering(harness, session, section, trained):
    open_(harness, session, section, trained)
    Project.open(trained.path).update_settings(shown_round=1)
    section.enter()
    harness.wait(lambda: section.ui.newestButton.enabled)


def test_two_rounds_are_compared_on_the_open_case(harness, session, section, trained, make_case):
    open_(harness, session, section, trained)
    assert not section.ui.compareButton.enabled
    openCase(harness, session, "case_3")
    assert not section.ui.compareButton.enabled, "round 2 is what is shown already"
    select(section, 1)
    assert section.ui.compareButton.enabled
    section.ui.compareButton.click()
    harness.wait(lambda: session.case.nodes.comparisonNode is not None)
    assert section.ui.comparisonLabel.text == "case_3: round 1 and round 2 agree by Dice Front 1.00, Back 0.00."
    assert section.ui.compareButton.text == "Hide the comparison"
    section.ui.compareButton.click()
    assert session.case.nodes.comparisonNode is None
    assert not section.ui.comparisonLabel.visible


def test_closing_the_case_ends_the_comparison(harness, session, section, trained):
    open_(harness, session, section, trained)
    openCase(harness, session, "case_3")
    select(section, 1)
    section.ui.compareButton.click()
    harness.wait(lambda: section.ui.comparisonLabel.visible)
    session.closeCase()
    assert section.ui.compareButton.text == "Compare on the open case"
    assert not section.ui.compareButton.enabled


def test_a_round_that_did_not_predict_the_open_case_says_so(harness, session, section, trained, make_case, make_grid):
    trained.add_label("case_4", (make_case(4)[1], make_grid()))
    open_(harness, session, section, trained)
    openCase(harness, session, "case_4")
    section.ui.compareButton.click()
    harness.wait(lambda: session.messages)
    assert "did not predict case case_4" in session.messages[-1].text


def test_export_writes_a_new_folder_and_offers_to_open_it(harness, session, section, trained, folder):
    folder.mkdir()
    open_(harness, session, section, trained)
    for count in (1, 2):
        section.ui.exportButton.click()
        assert section.ui.progressLabel.visible
        assert not section.ui.exportButton.enabled and not section.ui.formatCombo.enabled
        harness.wait(lambda: not section.exportControl.export.isBusy)
        assert len(list(folder.iterdir())) == count, "a second export overwrites nothing"
    assert not section.ui.progressLabel.visible
    written = next(folder.iterdir())
    assert (written / "predictions" / "case_3.nii.gz").is_file()
    assert len(list((written / "labels").iterdir())) == 3
    message = session.messages[-1]
    assert message.level == "info" and message.actionText == "Open the folder"
    assert "Exported 3 labels and 1 prediction to " in message.text


def test_the_format_and_what_to_export_are_chosen(harness, session, section, trained, folder):
    folder.mkdir()
    open_(harness, session, section, trained)
    control, ui = section.exportControl, section.ui
    assert [ui.contentCombo.itemText(n) for n in range(ui.contentCombo.count)] == [
        "Labels and predictions",
        "Labels",
        "Predictions",
    ]
    control.choose("seg-nrrd")
    assert "terminology" in ui.exportButton.toolTip
    ui.contentCombo.setCurrentIndex(2)
    ui.exportButton.click()
    harness.wait(lambda: not control.export.isBusy)
    assert [path.name for path in next(folder.iterdir()).rglob("*.seg.nrrd")] == ["case_3.seg.nrrd"]
    control.choose("nnunet")
    assert (ui.contentCombo.count, ui.contentCombo.currentText) == (1, "Labels")


def test_what_was_left_out_of_an_export_is_told(harness, session, section, trained, folder):
    folder.mkdir()
    trained.accepted_label("case_1").write_bytes(b"NRRD0004\nnonsense")
    open_(harness, session, section, trained)
    section.ui.exportButton.click()
    harness.wait(lambda: not section.exportControl.export.isBusy)
    message = session.messages[-1]
    assert message.level == "warning"
    assert "Exported 2 labels and 1 prediction" in message.text and "Left out: case case_1: " in message.text


def test_a_format_that_needs_the_engines_packages_is_written_by_the_engines_python(
    harness, session, section, trained, folder, monkeypatch
):
    folder.mkdir()
    open_(harness, session, section, trained)
    here = replace(EXPORTERS["nifti"], engine=True)
    monkeypatch.setitem(EXPORTERS, "nifti", here)
    trained.accepted_label("case_1").write_bytes(b"NRRD0004\nnonsense")
    section.ui.contentCombo.setCurrentIndex(1)
    section.ui.exportButton.click()
    assert section.ui.progressLabel.text == "Exporting ..."
    harness.wait(lambda: not section.exportControl.export.isBusy, 60)
    assert "Exported 2 labels to " in session.messages[-1].text
    assert "Left out: case case_1: " in session.messages[-1].text
    for case in ("case_0", "case_2"):
        trained.accepted_label(case).write_bytes(b"NRRD0004\nnonsense")
    section.ui.exportButton.click()
    harness.wait(lambda: not section.exportControl.export.isBusy, 60)
    assert session.messages[-1].level == "error"
    assert "nothing could be exported" in session.messages[-1].text.casefold()


def test_a_format_that_asks_for_terms_has_them_chosen_first(harness, session, section, trained, folder):
    folder.mkdir()
    open_(harness, session, section, trained)
    control, asked = section.exportControl, []
    answers = iter([(exact_term("liver").entry, "Liver"), None, (exact_term("spleen").entry, "Spleen")])

    def choose(entry, name):
        asked.append(name)
        return next(answers)

    control.choose("dicom-seg")
    control.chooseTerm = choose
    for told, left in (("Without one: Front, Back.", ["Back"]), ("Without one: Back.", [])):
        section.ui.exportButton.click()
        message = session.messages[-1]
        assert (message.level, message.actionText) == ("warning", "Choose terms...") and told in message.text
        message.action()
        harness.wait(lambda left=left: [each.name for each in without_term(Project.open(trained.path).labels)] == left)
        harness.wait(lambda: not session.tasks.busy)  # the open project knows it a moment after its file
    assert asked == ["Front", "Back", "Back"]
    harness.wait(lambda: session.messages[-1].level == "error" and not control.export.isBusy, 60)
    assert "highdicom" in session.messages[-1].text or "has a DICOM image" in session.messages[-1].text


def test_an_export_that_cannot_be_written_is_told(harness, session, section, trained, folder):
    folder.write_text("a file, not a folder", encoding="utf-8")
    open_(harness, session, section, trained)
    section.ui.exportButton.click()
    harness.wait(lambda: session.messages)
    assert session.messages[-1].level == "error"
    assert section.ui.exportButton.enabled


def test_choosing_no_folder_exports_nothing(harness, session, trained):
    section = RoundsWidget(session, chooseFolder=lambda title, start: "")
    open_(harness, session, section, trained)
    section.ui.exportButton.click()
    assert not section.exportControl.export.isBusy
    section.cleanup()


@pytest.mark.parametrize("width", [380, 600])
def test_picture_of_rounds(width, harness, session, section, trained, make_case, make_grid):
    train(trained, 0.87, make_case(3)[1], make_grid(), labels=5, device="CPU (2 cores)")
    open_(harness, session, section, trained)
    openCase(harness, session, "case_3")
    select(section, 1)
    section.ui.compareButton.click()
    harness.wait(lambda: section.ui.comparisonLabel.visible)
    harness.grab(section.widget, f"rounds-{width}", width)


def test_picture_before_any_training(harness, session, section, tiny_project):
    session.openProject(tiny_project.path)
    harness.wait(lambda: not section.reader.isBusy)
    harness.grab(section.widget, "rounds-none-380", 380)


def test_the_disk_is_freed_after_a_question_that_says_how_much(
    session, section, tiny_project, make_case, make_grid, asked
):
    for _number in range(3):
        train(tiny_project, 0.8, make_case(3)[1], make_grid())
    session.openProject(tiny_project.path)
    session.tasks.finish()
    section.ui.cleanButton.click()
    session.tasks.finish()
    assert len(asked) == 1 and asked[0].startswith("Free ")
    assert "? This goes: the maps of 1 prediction of older rounds. All of it can" in asked[0], "and nothing else"
    assert [found.prediction("case_3").segmentation.exists() for found in tiny_project.rounds()] == [False, True, True]
    assert session.messages[-1].text.endswith(" freed.")
    section.ui.cleanButton.click()
    session.tasks.finish()
    assert len(asked) == 1 and session.messages[-1].text.startswith("Nothing can go")
