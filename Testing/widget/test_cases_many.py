"""Thousands of cases in the section "Cases"."""

from __future__ import annotations

import gc
import time

import pytest
import qt
from cases_section import big_project, predict, shown
from machine import PATIENCE_S, slowness
from metassl.files import write_json
from MetaSSLSlicerLib.Logic.Project.CaseTable import CaseRow
from MetaSSLSlicerLib.Widgets.Parts import CaseCells
from MetaSSLSlicerLib.Widgets.Parts.CaseTableView import CaseTableModel


@pytest.fixture
def section(casesSection):
    return casesSection


class Pulse:
    """How long turns of the event loop take, with what Qt does in C++.

    `longest_ms` on the clock; `work_ms` what this thread computed of it, whatever else the computer is busy with.
    """

    def __init__(self, app) -> None:
        self.app, self.longest_ms, self.work_ms = app, 0.0, 0.0

    def wait(self, predicate) -> None:
        end = time.monotonic() + PATIENCE_S
        while not predicate():
            self.call(self.app.processEvents)
            assert time.monotonic() < end
            time.sleep(0.001)

    def call(self, function, *arguments) -> None:
        begin, work = time.perf_counter(), time.thread_time()
        function(*arguments)
        self.longest_ms = max(self.longest_ms, 1000 * (time.perf_counter() - begin))
        self.work_ms = max(self.work_ms, 1000 * (time.thread_time() - work))


def test_thousands_of_cases_never_block_the_event_loop(harness, session, section, tmp_path):
    count = 10_000
    project = big_project(tmp_path, count)
    uncertainties = {f"scan_{number}": ((number * 7919) % 1000) / 1000 for number in range(count)}
    predict(project, **uncertainties)
    pulses = {}
    gc.collect()
    gc.freeze()  # what the test run itself holds is no burden of the table
    pulses["open"] = pulse = Pulse(harness.app)
    begin = time.perf_counter()
    pulse.call(session.openProject, project.path)
    pulse.wait(lambda: len(section.model.cells) == count and section.model.isFilled)
    filled = time.perf_counter() - begin
    pulses["sort"] = pulse = Pulse(harness.app)
    for column in (CaseCells.NAME, CaseCells.ORDER):
        pulse.call(section.view.sortBy, column, True)
        pulse.wait(lambda: section.model.isFilled)
    pulses["search"] = pulse = Pulse(harness.app)
    for text in ("9", "99", ""):
        pulse.call(section.ui.searchBox.setText, text)
        pulse.wait(lambda: section.model.isFilled)
    pulses["one row"] = pulse = Pulse(harness.app)
    project.update_case("scan_77", state="rejected")
    session.casesChanged.emit(["scan_77"])
    pulse.wait(lambda: section.model.cells["scan_77"].row.state == "rejected" and section.model.isFilled)
    pulses["all rows"] = pulse = Pulse(harness.app)
    write_json(project.round(1).ranking_path, {"cases": [{"case": "scan_5", "score": 2.0, "reason": "first"}]})
    session.casesChanged.emit(None)
    pulse.wait(lambda: section.model.cells["scan_5"].row.place == 1 and section.model.isFilled)
    gc.unfreeze()
    assert shown(section)[0] == "scan_5"
    told = ", ".join(f"{name} {pulse.longest_ms:.0f} ({pulse.work_ms:.0f})" for name, pulse in pulses.items())
    print(f"{count} cases filled after {filled:.2f} s; longest turn of the event loop (its own work) in ms: {told}")
    assert max(pulse.work_ms for pulse in pulses.values()) < 75 * slowness(), "50 ms where nothing else is at work"


def test_cases_are_numbered_as_people_count():
    names = ["case_10", "Case_2", "case_1b", "a"]
    assert sorted(names, key=CaseCells.naturalKey) == ["a", "case_1b", "Case_2", "case_10"]


def test_rows_that_come_while_the_table_is_filled_are_not_lost(harness):
    words = CaseCells.CaseCells()
    model = CaseTableModel(words.headings, words.headingHints)
    row = words.of

    def show(rows) -> None:
        rows = list(rows)
        model.setCells([each.id for each in rows], model.differing(map(row, rows)))

    show(CaseRow(f"case_{number:03d}") for number in range(500))
    model.updateCells([row(CaseRow("case_003", state="accepted"))])
    show(CaseRow(f"case_{number:03d}", dice=0.5) for number in range(600))
    model.updateCells([row(CaseRow("case_700")), row(CaseRow("case_0"))])
    model.updateCells([row(CaseRow("case_599", state="accepted"))])
    harness.wait(lambda: model.isFilled)
    assert model.model.rowCount() == 602
    names = [model.model.data(model.model.index(place, 0), qt.Qt.DisplayRole) for place in range(602)]
    assert names == model.order == sorted(names, key=CaseCells.naturalKey)
    texts = [model.model.data(model.model.index(599, column), qt.Qt.DisplayRole) for column in range(5)]
    assert texts == ["case_598", "to label", "", "", "0.50"]
    model.cleanup()
