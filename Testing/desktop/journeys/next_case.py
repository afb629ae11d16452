"""How long a person waits for the next case: from the key to its image in all three slice views.

With a graphics card that is 0.3 s at most. Without one the drawing is as slow as the computer is busy: there the
processor time until the drawing begins is held to half of the goal.
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

from desktop_slicer import DesktopSlicer
from journey import Journey
from journeys.opening import (
    ANNOTATE,
    REVIEW,
    SESSION,
    drawnVoxels,
    makeProject,
    openModule,
    openProject,
    waitForTasks,
)

_CASES, _MEDIAN_S, _BEFORE_DRAWN_S = 10, 0.3, 0.15
_LOOKED_AT_S = 1.0
_STEPS, _MOVE_S = 8, 0.1
_HIPPOCAMPUS = "Task04_Hippocampus", (36, 50, 35), (1.0, 1.0, 1.0)
_HEART = "Task27_ACDC", (9, 216, 256), (1.5, 1.5, 10.0)
_DATA = "METASSL_DESKTOP_DATA"  # a folder with data sets, such as Task04_Hippocampus

_WATCH = """
import time
import vtk
if "rendered" not in globals():
    rendered, begun, processor = {}, {}, 0.0
    def watch(name):
        widget = slicer.app.layoutManager().sliceWidget(name)
        def shown():
            node = slicer.mrmlScene.GetNodeByID(widget.mrmlSliceCompositeNode().GetBackgroundVolumeID() or "")
            return "" if node is None else node.GetName()
        def begins(*_):
            begun.setdefault(shown(), (time.monotonic(), time.thread_time() - processor))
        def ends(*_):
            rendered.setdefault((shown(), name), time.monotonic())
        window = widget.sliceView().renderWindow()
        window.AddObserver(vtk.vtkCommand.StartEvent, begins)
        window.AddObserver(vtk.vtkCommand.EndEvent, ends)
    for name in ("Red", "Green", "Yellow"):
        watch(name)
"""
_BEGIN = """
import time
rendered.clear()
begun.clear()
processor = time.thread_time()
"""
_DRAWN_BY = """
window = sliceView().renderWindow()
lines = window.ReportCapabilities().splitlines()
answer = next((line.partition(":")[2].strip() for line in lines if "renderer string" in line), "")
"""
_SOFTWARE = "llvmpipe", "softpipe", "swrast", "SWR"


SHIFT = f"{ANNOTATE}.shift"
_TIME_MOVES = f"""
import time
moves, shift = [], {SHIFT}.shift
def timed(*arguments, show=shift._show):
    began = time.monotonic()
    show(*arguments)
    moves.append(time.monotonic() - began)
shift._show = timed
"""


class NextCase(Journey):
    """Cases as large as a hippocampus and a heart; real ones where METASSL_DESKTOP_DATA names a folder with them."""

    title = "The next case"

    def stepMake(self, slicer: DesktopSlicer) -> str:
        """Hippocampi with predictions"""
        openModule(slicer)
        return self._open(slicer, "next", *_HIPPOCAMPUS)

    def stepNext(self, slicer: DesktopSlicer) -> str:
        """Ctrl+Shift+N: its image is there soon"""
        return self._timed(slicer, "ctrl+shift+n")

    def stepAccept(self, slicer: DesktopSlicer) -> str:
        """Shift+A: the case is accepted, and the next one is there soon"""
        self._open(slicer, "accepted", *_HIPPOCAMPUS)
        return self._timed(slicer, "shift+a")

    def stepAccepted(self, slicer: DesktopSlicer) -> str:
        """Every label was written"""
        waitForTasks(slicer)
        states = slicer.value(f"[case.state for case in {SESSION}.project.cases.values()]")
        assert states.count("accepted") == _CASES, states
        return f"{_CASES} accepted"

    def stepHearts(self, slicer: DesktopSlicer) -> str:
        """The same with hearts"""
        which = self._open(slicer, "hearts", *_HEART)
        return f"{which}: {self._timed(slicer, 'shift+a')}"

    def stepLarger(self, slicer: DesktopSlicer) -> str:
        """Ctrl+Up makes a structure larger, a step within 0.1 s, and Z takes all steps back"""
        slicer.ask(f"{SHIFT}.slider.setValue(0)")
        slicer.keyAlone("ctrl+Up")
        slicer.wait(f"{SHIFT}.shift._applied == 1", 20, "the editor, and the first step")
        before = slicer.value(f"int({SHIFT}.shift._field.inside.sum())")
        waitForTasks(slicer)
        slicer.ask(_TIME_MOVES)
        for steps in range(2, _STEPS + 2):
            slicer.keyAlone("ctrl+Up")
            slicer.wait(f"{SHIFT}.shift._applied == {steps}", 20, f"step {steps}")
        after, seconds = drawnVoxels(slicer), slicer.value("moves")
        median = statistics.median(seconds)
        assert median <= _MOVE_S, f"a step took {median:.2f} s: {seconds}"
        slicer.click(f"{ANNOTATE}.shift.label")  # out of any text
        slicer.key("z")
        slicer.wait(f"{SHIFT}.shift.steps == 0", 5, "one undo")
        assert drawnVoxels(slicer) < after, "it is not taken back"
        return f"from {before} voxels; median {1000 * median:.0f} ms, longest {1000 * max(seconds):.0f} ms a step"

    def stepQuit(self, slicer: DesktopSlicer) -> None:
        """Slicer ends without a crash"""
        slicer.quit()

    def _open(self, slicer: DesktopSlicer, name: str, dataSet: str, shapeZyx: tuple, spacing: tuple) -> str:
        real = Path(os.environ.get(_DATA, "")) / dataSet
        isReal = _DATA in os.environ and real.is_dir()
        if isReal:
            folder = makeProject(slicer, name, f"Path({str(real)!r}), {_CASES + 2}", "makeProjectOf")
        else:
            folder = makeProject(slicer, name, f"{shapeZyx}, {spacing}, {_CASES + 2}")
        openProject(slicer, folder)
        return f"real ones of {dataSet}" if isReal else "made-up ones"

    def _timed(self, slicer: DesktopSlicer, key: str) -> str:
        slicer.ask(_WATCH)
        slicer.key("ctrl+shift+n")
        waitForTasks(slicer)
        seconds, drawing, processor, stops = [], [], [], []
        for _ in range(_CASES):
            time.sleep(_LOOKED_AT_S)
            waitForTasks(slicer)
            before = slicer.value(f"{SESSION}.case.id")
            slicer.value("longestStop()")
            slicer.ask(_BEGIN)
            began = slicer.keyAlone(key)
            case = slicer.wait(f"{SESSION}.case is not None and {SESSION}.case.id != {before!r} and {SESSION}.case.id")
            times = slicer.wait(
                f"[t for (name, _), t in rendered.items() if name == {case!r}][2:] and"
                f" [t for (name, _), t in rendered.items() if name == {case!r}]",
                20,
                f"{case} in three slice views",
            )
            seconds.append(max(times) - began)
            first, spent = slicer.value(f"begun[{case!r}]")
            drawing.append(max(times) - first)
            processor.append(spent)
            slicer.wait(f"{REVIEW}.navigator.places", 20, "the places")
            stops.append(slicer.value("longestStop()"))
        return self._judged(slicer.ask(_DRAWN_BY), seconds, drawing, processor, max(stops))

    @staticmethod
    def _judged(drawnBy: str, seconds: list, drawing: list, processor: list, stop: float) -> str:
        said = ", ".join(f"{each:.2f}" for each in seconds)
        median, before = statistics.median(seconds), statistics.median(processor)
        load = f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        text = (
            f"{said} s; median {median:.2f} s, of it drawing by {drawnBy} {statistics.median(drawing):.2f} s; "
            f"{before:.2f} s of processor before; longest stop of the event loop {stop:.2f} s (load {load})"
        )
        if any(name in drawnBy for name in _SOFTWARE):
            assert before <= _BEFORE_DRAWN_S, f"the processor time is above {_BEFORE_DRAWN_S} s: {text}"
        else:
            assert median <= _MEDIAN_S, f"the median is above {_MEDIAN_S} s: {text}"
        return text
