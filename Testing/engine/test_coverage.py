"""What a label says nothing about: told, and kept as it is when somebody accepts what did not know it either."""

from __future__ import annotations

import json

import numpy as np
import pytest
from metassl.__main__ import main
from metassl.files.errors import LabelError
from metassl.imaging.writer import write_array
from metassl.project import LabelDefinition, Project
from metassl.project.coverage import unknown_to, with_present_names
from metassl.project.records import Summary
from metassl.project.structure_changes import add_structure, change_structures
from predicting import predict

TUMOUR = LabelDefinition(3, "Tumour")


def said(capsys, *words: object) -> dict:
    """What a command says as JSON."""
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_status_counts_the_labels_that_say_nothing_about_a_structure(tiny_project, capsys):
    assert said(capsys, "status", tiny_project.path)["silent"] == {}
    add_structure(tiny_project, TUMOUR)
    first = tiny_project.labelled_cases()[0].id
    array, grid = tiny_project.read_label(first)
    array[0, 0, 0] = 3
    tiny_project.add_label(first, (array, grid))
    assert main(["status", str(tiny_project.path)]) == 0
    assert "Tumour: 1 of 2 labels says nothing about it" in capsys.readouterr().out
    assert said(capsys, "status", tiny_project.path)["silent"] == {"Tumour": 1}


def test_a_prediction_that_is_taken_as_label_says_nothing_about_what_its_model_did_not_know(
    tiny_project, make_grid, capsys
):
    predict(tiny_project, "case_4", make_grid(), values=[1, 2])
    add_structure(tiny_project, TUMOUR)
    every = [label.name for label in tiny_project.labels]
    path = tiny_project.prediction("case_4")[1].segmentation
    result = said(capsys, "label", tiny_project.path, "case_4", path)
    assert result["silent"] == ["Tumour"] and tiny_project.case("case_4").coverage == [1, 2]
    assert said(capsys, "label", tiny_project.path, "case_4", path, "--about", *every)["silent"] == []


def test_somebody_says_about_which_structures_a_file_speaks(tiny_project, make_case, make_grid, tmp_path, capsys):
    labels = np.where(make_case(4)[1] == 1, 1, 0).astype(np.uint8)
    path = tmp_path / "l.nrrd"
    write_array(path, labels, make_grid())
    name = tiny_project.labels[0].name
    assert main(["label", str(tiny_project.path), "case_4", str(path), "--about", name.upper()]) == 0
    assert f"says nothing about {tiny_project.labels[1].name}" in capsys.readouterr().out
    assert tiny_project.case("case_4").coverage == [1]
    assert main(["label", str(tiny_project.path), "case_4", str(path), "--about", "Spleen"]) == 2
    assert "--about Spleen: the project's structures are 1=" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("summary", "unknown"),
    [
        (Summary(values=[1]), ["B"]),
        (Summary(values=[1, 2]), []),
        (Summary(volume_ml={"A": 1.0}), ["B"]),  # of a former version
        (Summary(volume_ml={"Old name": 1.0, "A": 1.0}), []),
        (Summary(), []),
    ],
)
def test_what_the_model_of_a_prediction_did_not_know(summary, unknown):
    labels = [LabelDefinition(1, "A"), LabelDefinition(2, "B")]
    assert [label.name for label in unknown_to(summary, labels)] == unknown


def test_structures_are_changed_together_and_none_is_lost(tiny_project):
    first, second = tiny_project.labels
    renamed = LabelDefinition(1, "Head", "#102030")
    silent = change_structures(tiny_project, [renamed, second, TUMOUR])
    assert len(silent) == 3 and Project.open(tiny_project.path).labels == [renamed, second, TUMOUR]
    assert change_structures(tiny_project, [first, second, TUMOUR]) == [], "a new name silences no label"
    with pytest.raises(LabelError, match="3=Tumour of the project would be lost"):
        change_structures(tiny_project, [first, second])


def test_what_was_predicted_is_known_again_under_another_name():
    rates = {"A": {"US": 0.5}}
    summary = Summary(values=[1, 2], volume_ml={"A": 1.0, "B": 2.0}, volume_range_ml={"B": [1.0, 3.0]}, classes=rates)
    swapped = [LabelDefinition(1, "B"), LabelDefinition(2, "A"), LabelDefinition(3, "C")]
    present = with_present_names(summary, swapped)
    assert present.volume_ml == {"B": 1.0, "A": 2.0} and present.volume_range_ml == {"A": [1.0, 3.0]}
    assert present.classes == {"B": {"US": 0.5}} and present.class_error_rates is None
    former = Summary(volume_ml={"A": 1.0})
    assert with_present_names(former, swapped) == former, "former versions wrote no values"
