"""The table of volumes: what is known of each structure, and how well."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from metassl.exports import export_project
from metassl.files import read_json, write_json
from metassl.imaging import IGNORE
from metassl.project import LabelDefinition, Project
from metassl.project.structure_changes import add_structure, rename_structure
from predicting import predict


@pytest.fixture
def measure(tiny_project, tmp_path):
    """measure() -> {(case, structure, source): row} of measurements.csv."""

    def run() -> dict[tuple[str, str, str], dict[str, str]]:
        folder = tmp_path / "measured"
        export_project(Project.open(tiny_project.path), folder, format="measurements")
        with (folder / "measurements.csv").open(encoding="utf-8", newline="") as file:
            return {(row["case"], row["structure"], row["source"]): row for row in csv.DictReader(file)}

    return run


def rewrite_summary(project, case: str, **more) -> None:
    path = project.latest_round().prediction(case).summary
    content = {**read_json(path, "the summary"), **more}
    write_json(path, {key: value for key, value in content.items() if key != "schema_version"})


def test_a_label_has_its_volume_and_a_prediction_its_range(tiny_project, make_grid, measure):
    grid = make_grid()
    predict(tiny_project, "case_3", grid)
    rewrite_summary(tiny_project, "case_3", volume_range_ml={"Front": [0.1, 0.9]}, volume_level=0.75)
    rows = measure()
    label, geometry = tiny_project.read_label("case_0")
    row = rows["case_0", "Front", "label"]
    assert float(row["volume_ml"]) == pytest.approx(np.count_nonzero(label == 1) * geometry.voxel_ml, rel=1e-5)
    assert (row["low_ml"], row["level"], row["annotated"], row["round"]) == ("", "", "1", "")
    row = rows["case_3", "Front", "prediction"]
    assert (row["low_ml"], row["high_ml"], row["level"], row["round"]) == ("0.1", "0.9", "0.75", "1")
    assert rows["case_3", "Back", "prediction"]["low_ml"] == ""


def test_a_partly_annotated_label_says_so(tiny_project, measure):
    label, geometry = tiny_project.read_label("case_0")
    label = label.copy()
    label[: len(label) // 2] = IGNORE
    tiny_project.add_label("case_0", (label, geometry))
    assert float(measure()["case_0", "Front", "label"]["annotated"]) == pytest.approx(0.5)


def test_what_a_label_or_a_model_does_not_speak_about_is_not_zero(tiny_project, make_grid, measure):
    predict(tiny_project, "case_3", make_grid())
    rewrite_summary(tiny_project, "case_3", volume_ml={"Front": 1.0, "Back": 0.5})
    add_structure(tiny_project, LabelDefinition(3, "Tail"))
    assert {structure for _case, structure, _source in measure()} == {"Front", "Back"}


def test_a_prediction_keeps_the_volume_of_a_structure_that_got_another_name(tiny_project, make_grid, measure):
    predict(tiny_project, "case_3", make_grid(), values=[1, 2])
    figures = {"Front": 1.0, "Back": 0.5}
    rewrite_summary(tiny_project, "case_3", volume_ml=figures, volume_range_ml={"Front": [0.1, 0.9]})
    rename_structure(tiny_project, 1, "Head")
    add_structure(tiny_project, LabelDefinition(3, "Tail"))
    rows = measure()
    assert {structure for case, structure, _source in rows if case == "case_3"} == {"Head", "Back"}
    assert rows["case_3", "Head", "prediction"]["high_ml"] == "0.9"
