"""What is drawn in the report: curves, and the cases that the Slicer core renders."""

from __future__ import annotations

import importlib.util
import math
import re
import subprocess
import sys
from pathlib import Path

import MetaSSLPictures
import numpy as np
import pytest
from metassl.evaluation.report.charts import Line, line_chart, thinned
from metassl.evaluation.report.numbers import gather
from metassl.evaluation.report.write import draw
from metassl.project import Project, Round
from reported_project import Page, build_project, build_round, written


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return build_project(tmp_path / "project")


@pytest.fixture
def found(project: Project) -> Round:
    return build_round(project)


# Curves


def test_a_long_curve_is_thinned_and_keeps_its_mean():
    points = [(step, 2 + math.sin(step)) for step in range(10_000)]
    fewer = thinned(points)
    assert len(fewer) <= 240
    assert np.mean([y for _, y in fewer]) == pytest.approx(np.mean([y for _, y in points]), abs=0.01)
    assert thinned([]) == []


@pytest.mark.parametrize("points", [[], [(1, 0.0)], [(1, 5.0)], [(0, 1e-7), (5, 3e5)], [(1, -2.0), (2, 4.0)]])
@pytest.mark.parametrize("log", [False, True])
def test_any_curve_can_be_drawn_within_its_frame(points, log):
    chart = line_chart([Line("loss", points)], "step", "a loss", log=log)
    Page(str(chart))
    for path in re.findall(r' d="([^"]*)"', chart):
        for x, y in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", path):
            assert 0 <= float(x) <= 480 and 0 <= float(y) <= 250


# Pictures


def renderer(folder: Path, monkeypatch, body: str) -> None:
    """Put a program of its own in the place of the renderer."""
    (folder / "stand_in_renderer.py").write_text(body, encoding="utf-8")
    monkeypatch.setattr(MetaSSLPictures, "MODULE", "stand_in_renderer")
    monkeypatch.setenv("PYTHONPATH", str(folder))


DRAWS = """
import json, pathlib, sys
for job in json.load(open(sys.argv[1]))["pictures"]:
    assert all(pathlib.Path(job[key]).is_file() for key in ("image", "segmentation", "regions"))
    assert [label["name"] for label in job["labels"]] == ["Anterior", "Posterior"]
    assert len(job["place"]) == 3
    if job["title"] == "case_04":
        print(json.dumps({"title": "case_04", "ok": False, "error": "case_04 is too dark."}))
    else:
        pathlib.Path(job["out"]).write_bytes(b"\\x89PNG " + job["title"].encode())
"""


def test_rendered_pictures_are_in_the_page_and_missing_ones_are_said(project, found, tmp_path, monkeypatch):
    renderer(tmp_path, monkeypatch, DRAWS)
    assert len(project.unlabelled_cases()) == 3
    text, page = written(project, found, with_pictures=True)
    assert page.tags.count("img") == 2
    assert text.count("data:image/png;base64,iVBORyBjYXNlX") == 2  # "\x89PNG case_.."
    assert "could be rendered: case_04 is too dark." in page.text
    assert "Anterior" in page.text and "ml" in page.text


def test_without_the_slicer_core_the_report_says_so_and_goes_on(project, found, tmp_path, monkeypatch):
    for name in ("slicer", "vtk", "mrml"):
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError({name!r})", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    _, page = written(project, found, with_pictures=True)
    assert "pip install 'metassl[report]'" in page.text
    assert "img" not in page.tags and "Ranking by combined" in page.text


def test_a_renderer_that_dies_is_reported_with_its_last_words(project, found, tmp_path, monkeypatch):
    renderer(tmp_path, monkeypatch, "import sys; sys.exit('no graphics here')")
    _, page = written(project, found, with_pictures=True)
    assert "no graphics here" in page.text


def test_a_renderer_that_hangs_is_stopped(project, found, tmp_path, monkeypatch):
    renderer(tmp_path, monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(MetaSSLPictures, "TIMEOUT_S", 0.5)
    _, page = written(project, found, with_pictures=True)
    assert "took longer than 0.5 s" in page.text


def test_the_slicer_core_renders_a_case(project, found):
    if importlib.util.find_spec("slicer") is None:
        pytest.skip("slicer-core is not installed: nothing can render a picture")
    cards = gather(project, found, None).cards[:1]
    files, problem = draw(project, found, cards)
    assert problem == ""
    case = cards[0].case.id
    assert files[case].startswith(b"\x89PNG\r\n") and len(files[case]) > 5000


def test_writing_a_report_imports_no_engine():
    code = "import metassl.evaluation.report, metassl.selection, sys; print('torch' in sys.modules)"
    root = str(Path(MetaSSLPictures.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
