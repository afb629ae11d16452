"""Names of files and cases that a system, table or page could stumble over: they work, or a sentence says why not."""

import csv
import json
import os
import shutil
import sys
import unicodedata

import numpy as np
import pytest
from faults.sample_project import GRID, image, label, make_project, write_images
from metassl import cli
from metassl.files import MetaSSLError
from metassl.imaging import read_image, write_array
from metassl.intake import new_project
from metassl.project import Project
from metassl.project.cases import make_case_id
from reported_project import build_project, build_round

NFC = unicodedata.normalize("NFC", "Müller é")
NFD = unicodedata.normalize("NFD", NFC)
FORMULA = "=cmd|' /C calc'!A0"
SCRIPT = "<script>alert(1)</script>"

FILES = (
    *("a b c", "it's", 'so "called"', NFC, NFD, "日本語 スキャン", "a..b", "-rf", "--help"),
    *(FORMULA[:6], "+1", "@x"),
    *("line\nbreak", "tab\tx"),
    *("a.", "a ", " a", "CON", "nul.txt", "COM1", "con .x", "%s%n", "$HOME", "`id`", "a;b|c&d"),
    *(SCRIPT.replace("/", "_"), "a\\b", "C:x"),
    *("x" * 245, "é" * 120, "\u202egnp", "a\u200bb", "😀 scan", "\x1b[2J"),
)
"""Without suffix."""

CANNOT = ("..", ". .", "...", "")
IDS = (
    *("", ".", ".."),
    *("../x", "/x", "a/b", "a\\b", "a\nb", "a\0b", "a.", "a ", " a", ".a", "CON", "con.txt"),
    *("nul", "LPT9", "aux .x", "x" * 121, "é" * 61, "a:b", "a*", "a?", '"', "<b>", "a|b"),
    *(FORMULA, "\u202ea", "\x1b[2J", "%s", None, 3),
)
"""That no cases.json may hold."""

GOOD_IDS = ("a b", NFC, "日本語", "a..b", "x" * 120, "-rf", "--help", "console", "com")


def write(folder, name):
    folder.mkdir(exist_ok=True)
    shutil.copy(_original(folder.parent), folder / f"{name}.nrrd")


def _original(folder):
    path = folder / "original.nrrd"
    if not path.exists():
        write_array(path, image(1), GRID)
    return path


def use(project, case_id, out):
    """Label, read, export, report; the export is what was labelled, under that name."""
    project.add_label(case_id, (label(2), GRID))
    assert np.array_equal(project.read_label(case_id)[0], label(2))
    assert (project.path / "labels" / f"{case_id}.nrrd").is_file()
    assert cli.main(["export", str(project.path), str(out)]) == 0
    assert [path.name for path in (out / "labels").iterdir()] == [f"{case_id}.nii.gz"]
    with open(out / "summary.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["case"].removeprefix("'") for row in rows] == [case_id]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse some of these names themselves")
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_any_name_becomes_a_case_that_can_be_used(tmp_path, name):
    write(tmp_path / "images", name)
    project, warnings = new_project(tmp_path / "project", tmp_path / "images", labels=["1=Front", "2=Back"])
    assert warnings == []
    (case_id,) = project.cases
    assert case_id.isprintable() and os.sep not in case_id and len(case_id.encode()) <= 120
    use(Project.open(project.path), case_id, tmp_path / "out")


@pytest.mark.parametrize("name", CANNOT)
def test_a_name_without_a_letter_is_refused_in_a_sentence(name):
    with pytest.raises(MetaSSLError, match="gives no case id: it needs a letter or a digit"):
        make_case_id(name)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one file for both names")
@pytest.mark.parametrize(("one", "other"), [(NFC, NFD), ("Scan", "scan"), ("a?", "a*"), ("x" * 130, "x" * 131)])
def test_two_files_that_would_be_one_case_are_both_named(tmp_path, one, other):
    write(tmp_path / "images", one)
    write(tmp_path / "images", other)
    with pytest.raises(MetaSSLError, match="two cases would get the id") as caught:
        new_project(tmp_path / "project", tmp_path / "images", labels=["1=Front"])
    assert f"{one}.nrrd" in str(caught.value) and f"{other}.nrrd" in str(caught.value)
    assert not (tmp_path / "project").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_file_name_that_is_not_unicode_is_refused_in_a_sentence(tmp_path, capsys):
    write(tmp_path / "images", "good")
    os.rename(tmp_path / "images" / "good.nrrd", os.fsencode(tmp_path / "images") + b"/caf\xe9.nrrd")
    words = ["new", str(tmp_path / "project"), "--from", str(tmp_path / "images"), "--labels", "1=Front"]
    assert cli.main(words) == 2
    said = capsys.readouterr().err.strip()
    assert "not in Unicode; rename it" in said and "\n" not in said


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "project", write_images(tmp_path / "images", 1), labelled=0)


def renamed(project, **changes):
    file = project.path / "cases.json"
    document = json.loads(file.read_text("utf-8"))
    document["cases"][0].update(changes)
    file.write_text(json.dumps(document), "utf-8")


@pytest.mark.parametrize("case_id", IDS)
def test_a_case_list_with_a_bad_id_is_refused_by_every_command_in_one_line(tmp_path, project, case_id, capsys):
    renamed(project, id=case_id)
    for words in (["status", str(project.path)], ["export", str(project.path), str(tmp_path / "out")]):
        assert cli.main(words) == 2
        said = capsys.readouterr().err.strip()
        assert "cases.json" in said and said.isprintable() and "Traceback" not in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("case_id", GOOD_IDS)
def test_a_case_list_with_an_unusual_id_works(tmp_path, project, case_id):
    renamed(project, id=case_id)
    use(Project.open(project.path), case_id, tmp_path / "out")


def test_a_page_and_a_table_run_nothing_that_a_name_says(tmp_path):
    project = build_project(tmp_path / "project")
    build_round(project).model_path.touch()
    file = project.path / "project.json"
    document = json.loads(file.read_text("utf-8"))
    document["name"], document["labels"][0]["name"], document["labels"][1]["name"] = SCRIPT, SCRIPT, FORMULA
    document["channels"] = [f'"><img src=x onerror="{SCRIPT}">']
    file.write_text(json.dumps(document), "utf-8")
    renamed(project, id="-1", images=[f"{SCRIPT}{FORMULA}.nrrd"])

    page = tmp_path / "page.html"
    assert cli.main(["report", str(project.path), "--no-pictures", "--out", str(page)]) == 0
    assert SCRIPT not in page.read_text("utf-8") and "<img src=x" not in page.read_text("utf-8")
    assert "&lt;script&gt;" in page.read_text("utf-8")

    cli.main(["export", str(project.path), str(tmp_path / "out")])
    tables = [(tmp_path / "out" / name).read_text("utf-8") for name in ("summary.csv", "structures.csv")]
    cells = [cell for row in csv.reader("".join(tables).splitlines()) for cell in row]
    assert "'-1" in cells and f"'{FORMULA}" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@pytest.mark.parametrize("name", ["x" * 100_000, "x" * 766, "a/" * 3000 + "b", "a\0b", "\ud800"], ids=len)
def test_an_image_path_that_no_system_knows_is_refused(project, name, capsys):
    renamed(project, images=[f"{name}.nrrd"])
    assert cli.main(["status", str(project.path)]) == 2
    said = capsys.readouterr().err.strip()
    assert "cases.json" in said and said.isprintable()


@pytest.mark.parametrize("name", ["x" * 300, "a\nb", "nothing there"], ids=len)
def test_an_image_path_that_this_system_does_not_know_is_a_sentence(project, name):
    renamed(project, images=[f"{name}.nrrd"])
    opened = Project.open(project.path)
    with pytest.raises(MetaSSLError, match="case scan_0: ") as caught:
        read_image(opened.image_paths("scan_0"), "scan_0")
    assert str(caught.value).isprintable()
