"""The harness behaves as PythonQt does, and refuses what the real classes lack."""

from __future__ import annotations

import time

import ctk
import pytest
import qt
import slicer
from slicerharness import SlotErrors

# Properties and attributes


def test_properties_are_attributes(harness):
    button = qt.QPushButton("Train")
    assert button.text == "Train"
    button.text = "Stop"
    assert button.text == "Stop"
    with pytest.raises(TypeError):
        button.text()
    assert button.sizeHint.height() > 10
    with pytest.raises(TypeError):
        button.sizeHint()


def test_getters_that_are_no_properties_stay_methods(harness):
    box = qt.QCheckBox("Go on")
    box.setChecked(True)
    assert box.isChecked() and box.checked
    assert box.parent() is None


def test_a_new_attribute_on_a_cpp_object_is_refused(harness):
    button = qt.QPushButton()
    with pytest.raises(AttributeError, match="no new attributes"):
        button.caseId = "case_1"
    with pytest.raises(AttributeError):
        ctk.ctkSliderWidget().caseId = "case_1"


def test_a_python_subclass_takes_attributes(harness):
    class Dialog(qt.QDialog):
        def __init__(self):
            super().__init__()
            self.caseId = "case_1"
            self.windowTitle = "Title"

        def sizeHint(self):
            return qt.QSize(321, 123)

    dialog = Dialog()
    assert (dialog.caseId, dialog.windowTitle) == ("case_1", "Title")
    dialog.show()
    assert dialog.width == 321


def test_what_only_a_newer_qt_has_is_refused(harness):
    with pytest.raises(AttributeError, match="no attribute 'checkStateChanged'"):
        _ = qt.QCheckBox().checkStateChanged
    with pytest.raises(AttributeError, match="no attribute 'setOffset'"):
        qt.QLabel().setOffset(3)
    with pytest.raises(AttributeError, match="no attribute 'setBuddyFor'|has no attribute"):
        qt.QComboBox().setLabelDrawingMode(qt.QComboBox.LabelDrawingMode)


def test_read_only_properties_and_none_are_refused(harness):
    label = qt.QLabel()
    with pytest.raises(AttributeError, match="read-only"):
        label.width = 3
    with pytest.raises(AttributeError):
        label.text = None
    with pytest.raises(AttributeError):
        qt.QTimer().singleShot = True


# Values


def test_an_empty_layout_is_false_and_no_child_of_a_ui_file(harness):
    widget = qt.QWidget()
    layout = qt.QVBoxLayout(widget)
    layout.objectName = "row"
    assert not layout and not qt.QMenu()
    assert not hasattr(slicer.util.childWidgetVariables(widget), "row")
    layout.addWidget(qt.QLabel("text", widget))
    assert layout and widget
    assert slicer.util.childWidgetVariables(widget).row is layout


def test_empty_values_are_false(harness):
    assert not qt.QColor() and qt.QColor(0, 0, 0)
    assert not qt.QIcon() and not qt.QPixmap() and not qt.QSize(0, 3) and not qt.QStandardItemModel().index(0, 0)
    assert qt.QComboBox() and qt.QListWidget() and qt.QStandardItemModel()


def test_a_method_cannot_return_what_pythonqt_does_not_know(harness):
    label = qt.QLabel("text")
    with pytest.raises(ValueError, match="'QFontMetrics' is ignored because it is unknown to PythonQt"):
        label.fontMetrics()
    assert qt.QFontMetrics(label.font).height() > 5


def test_lists_come_back_as_tuples_and_iterators_are_refused(harness):
    combo = qt.QComboBox()
    with pytest.raises(ValueError, match="list or a tuple"):
        combo.addItems(text for text in "ab")
    combo.addItems(("a", "b"))
    names = qt.QListWidget()
    names.addItems(["a", "b"])
    assert isinstance(names.findItems("a", qt.Qt.MatchExactly), tuple)
    assert isinstance(combo.children(), tuple) and isinstance(combo.actions(), tuple)
    assert isinstance(qt.QSettings().allKeys(), tuple)


def test_enums_act_as_ints(harness):
    frame = qt.QFrame()
    frame.setFrameShape(qt.QFrame.Box)
    assert frame.frameShape == 1 and qt.Qt.UserRole + 1 == 257
    assert qt.QStandardItem("a").flags() & qt.Qt.ItemIsEnabled == 32


def test_a_destroyed_object_raises_a_value_error(harness):
    label = qt.QLabel("text")
    label.delete()
    for use in (lambda: label.text, label.show, lambda: label.connect("destroyed()", print)):
        with pytest.raises(ValueError, match="destroyed object"):
            use()


def test_the_extension_gets_no_truth_and_no_newer_names(harness):
    module = {"__name__": "MetaSSLSlicerLib.Some", "qt": qt}
    for code, complaint in (
        ("1 if qt.QLabel() else 2", "is not None"),
        ("not qt.QColor()", "is not None"),
        ("qt.QColor().getRgb()", "no attribute 'getRgb'"),
        ("qt.QPainter().fontMetrics()", "no attribute 'fontMetrics'"),
        ("qt.QSvgRenderer().isValid()", "nothing is known of QSvgRenderer"),
    ):
        with pytest.raises((AssertionError, AttributeError), match=complaint):
            eval(code, module)  # noqa: S307


# Signals


def test_both_ways_to_connect_work_and_arguments_are_trimmed(harness):
    seen = []
    button = qt.QPushButton()
    button.setCheckable(True)
    button.clicked.connect(lambda: seen.append("nothing"))
    button.connect("clicked(bool)", lambda checked: seen.append(checked))
    button.connect("clicked(bool)", lambda default=7: seen.append(("default", default)))
    button.click()
    assert seen == ["nothing", True, ("default", True)]


def test_a_misspelled_signature_raises(harness):
    with pytest.raises(ValueError, match="is not a signal of QPushButton"):
        qt.QPushButton().connect("clickd()", print)
    with pytest.raises(ValueError):
        slicer.qMRMLNodeComboBox().connect("currentNodeChanged(vtkMRMLScene*)", print)


def test_an_overloaded_signal_needs_its_signature(harness):
    combo = qt.QComboBox()
    combo.addItems(["a", "b"])
    with pytest.raises(AttributeError, match="several signatures"):
        _ = combo.currentIndexChanged
    seen = []
    combo.connect("currentIndexChanged(int)", seen.append)
    combo.connect("currentIndexChanged(QString)", seen.append)
    combo.currentIndex = 1
    assert seen == [1, "b"]


def test_a_slot_can_be_disconnected(harness):
    seen = []
    button = qt.QPushButton()

    def slot():
        seen.append(1)

    button.connect("clicked()", slot)
    assert button.disconnect("clicked()", slot)
    assert not button.disconnect("clicked()", slot)
    button.click()
    assert seen == []


def test_timers_and_processes_work(harness):
    seen = []
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.connect("timeout()", lambda: seen.append("timer"))
    timer.start(1)
    qt.QTimer.singleShot(1, lambda: seen.append("single"))
    process = qt.QProcess()
    process.connect("finished(int,QProcess::ExitStatus)", lambda code, status: seen.append(code))
    process.start("sh", ["-c", "exit 3"])
    harness.wait(lambda: len(seen) == 3)
    assert set(seen) == {"timer", "single", 3}


def test_an_error_in_a_slot_is_kept_for_the_test(harness):
    button = qt.QPushButton()
    button.clicked.connect(lambda: 1 / 0)
    button.click()
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        harness.process()
    qt.QTimer.singleShot(0, lambda: 1 / 0)
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        harness.wait(lambda: False, timeout=2)
    slicer.mrmlScene.AddObserver(slicer.mrmlScene.NodeAddedEvent, lambda *_: 1 / 0)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")
    slicer.mrmlScene.RemoveObservers(slicer.mrmlScene.NodeAddedEvent)
    assert len(SlotErrors.take()) == 1


def test_the_watchdog_finds_the_slowest_callback(harness):
    def slow():
        time.sleep(0.03)

    button = qt.QPushButton()
    button.clicked.connect(slow)
    with harness.watchdog() as watch:
        button.click()
        qt.QTimer.singleShot(0, lambda: time.sleep(0.002))
        harness.process(10)
    assert watch.longest_ms >= 30 and "slow" in watch.slowest
    assert watch.longest_work_ms < watch.longest_ms


def test_the_watchdog_bites_a_callback_that_computes_or_waits_for_long(harness):
    def compute():
        end = time.thread_time() + 0.06
        while time.thread_time() < end:
            pass

    for slow in (compute, lambda: time.sleep(1.1)):
        with harness.watchdog() as watch:
            watch.call(slow)
        with pytest.raises(AssertionError, match=slow.__name__):
            watch.assertShort()


# Settings


def test_settings_are_empty_and_in_a_temporary_folder(settings):
    import tempfile

    assert settings.value("MetaSSL/goOn") is None
    settings.setValue("MetaSSL/goOn", True)
    assert slicer.util.settingsValue("MetaSSL/goOn", False, converter=slicer.util.toBool)
    assert settings.fileName().startswith(tempfile.gettempdir())
