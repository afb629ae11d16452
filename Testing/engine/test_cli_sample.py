"""`metassl sample`: a data set from nothing, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from metassl import cli
from metassl.intake import find_cases, new_project

ENGINE = Path(cli.__file__).parents[1]


def sample(*words: object, code: str = "") -> subprocess.CompletedProcess:
    start = ["-c", code] if code else ["-m", "metassl"]
    command = [sys.executable, *start, "sample", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ENGINE)}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_it_writes_a_data_set_that_becomes_a_project_without_torch_and_says_what_to_do_next(tmp_path):
    folder = tmp_path / "images"
    code = "import sys; sys.modules.update(torch=None, monai=None); from metassl.cli import main; sys.exit(main())"
    done = sample(folder, "--cases", 6, code=code)
    assert done.returncode == 0, done.stderr
    assert f"metassl new PROJECT --from {folder}" in done.stdout
    assert [label.name for label in find_cases(folder).labels] == ["Head", "Body"]
    project, warnings = new_project(tmp_path / "project", folder, labelled=3, validation=1)
    assert warnings == [] and len(project.cases) == 6 and len(project.labelled_cases()) == 3


def test_a_program_is_told_in_json(tmp_path, capsys):
    assert cli.main(["sample", str(tmp_path / "images"), "--cases", "6", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(tmp_path / "images"), "cases": 6}


@pytest.mark.parametrize("cases", [1, 5])
def test_too_few_cases_are_refused_in_one_line(tmp_path, cases):
    done = sample(tmp_path / "images", "--cases", cases)
    assert done.returncode == 2
    assert done.stderr == f"metassl: a data set needs at least 6 volumes, not {cases}\n"


def test_a_folder_that_holds_something_is_left_as_it_is(tmp_path):
    (tmp_path / "dataset.json").write_text("mine", encoding="utf-8")
    done = sample(tmp_path)
    assert done.returncode == 2 and "is not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["dataset.json"]
    assert (tmp_path / "dataset.json").read_text(encoding="utf-8") == "mine"
