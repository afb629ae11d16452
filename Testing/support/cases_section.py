"""What a person sees in the section "Cases" of the panel, and projects to see, for the tests of its parts."""

from __future__ import annotations

import json
from pathlib import Path

import qt
from metassl.files import write_json
from metassl.project import Case, LabelDefinition, Project
from MetaSSLSlicerLib.Widgets.Parts import CaseCells

REASONS = "in and round the structures, networks differ on {} % and agree without confidence on 4 %"


def big_project(folder: Path, count: int) -> Project:
    project = Project.create(folder / f"big_{count}", "big", [LabelDefinition(1, "Front")], ["CT"])
    project.add_cases(Case(f"scan_{number}", [f"images/{number}.nii.gz"]) for number in range(count))
    return project


def predict(project, **uncertainties: float) -> None:
    """A finished round that predicted these cases, and ranked the most uncertain first."""
    found = project.new_round({"config": {}, "labels": {}})
    for case, uncertainty in uncertainties.items():
        paths = found.prediction(case)
        paths.folder.mkdir(parents=True)
        shares = {"US": 0.4 * uncertainty, "DC": 0.1 * uncertainty, "DS": 0.5 * uncertainty}
        paths.summary.write_text(json.dumps({"case": case, "uncertainty": shares}), encoding="utf-8")  # of thousands
    entries = [
        {"case": case, "score": uncertainty, "reason": REASONS.format(round(60 * uncertainty))}
        for case, uncertainty in sorted(uncertainties.items(), key=lambda item: -item[1])
    ]
    write_json(found.ranking_path, {"strategy": "discrepancy", "cases": entries, "skipped": {}})
    found.model_path.write_bytes(b"model")
    project.mark_predicted(uncertainties)


def shown(section) -> list[str]:
    """The names in the table, from top to bottom."""
    while not section.model.isFilled:
        qt.QApplication.instance().processEvents()
    model = section.model.model
    return [model.data(model.index(row, CaseCells.NAME), qt.Qt.DisplayRole) for row in range(model.rowCount())]


def cell(section, caseId: str, column: int, role: int = qt.Qt.DisplayRole):
    model = section.model.model
    return model.data(model.index(section.model.placeOf(caseId), column), role)


def ready(harness, section, count: int) -> None:
    harness.wait(lambda: len(section.model.cells) == count and section.model.isFilled and not section.reader.isBusy)
    harness.process(5)


def open_(harness, session, section, project) -> None:
    session.openProject(project.path)
    ready(harness, section, len(project.cases))
