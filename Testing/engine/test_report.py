"""The report: one page that holds all, escapes all and asks nothing of the network."""

from __future__ import annotations

import importlib.util
import math
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from metassl.evaluation.evaluate import EvaluationItem, evaluate
from metassl.evaluation.report import pictures, write_report
from metassl.evaluation.report.charts import Line, line_chart, thinned
from metassl.evaluation.report.markup import tag
from metassl.jobs.events import EventWriter
from metassl.project import (
    Case,
    Geometry,
    LabelDefinition,
    MetaSSLError,
    Project,
    Round,
    write_array,
    write_json,
)
from metassl.selection import rank

HOSTILE = "<script>alert(1)</script>\"'&"
GRID = Geometry((24, 24, 16), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
VOID = {"img", "meta", "br", "col"}


class Page(HTMLParser):
    """Checks that every element is closed, and collects texts, tags and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, name, attributes):
        self.tags.append(name)
        self.attributes += [(key, value or "") for key, value in attributes]
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))  # no-break spaces become spaces


def build_project(folder: Path, cases: int = 8, name: str = "Hippocampus") -> Project:
    """A project with images of noise, two structures, three labelled and two test cases."""
    labels = [LabelDefinition(1, "Anterior"), LabelDefinition(2, "Posterior")]
    project = Project.create(folder, name, labels, ["T1"])
    random = np.random.default_rng(0)
    for number in range(cases):
        image, truth = volume(number, random)
        path = folder / "images" / f"case_{number:02d}.nrrd"
        path.parent.mkdir(exist_ok=True)
        write_array(path, image, GRID)
        split = "test" if number >= cases - 2 else "pool"
        project.add_cases([Case(f"case_{number:02d}", [str(path)], split=split)])
        if number < 3:
            project.add_label(f"case_{number:02d}", (truth, GRID))
    return project


def volume(number: int, random) -> tuple[np.ndarray, np.ndarray]:
    """An image with two touching ellipsoids, and their labels."""
    z, y, x = np.meshgrid(*(np.arange(n) for n in GRID.shape_zyx), indexing="ij")
    centre = np.array([8, 12, 12]) + random.normal(0, 0.7, 3)
    inside = ((z - centre[0]) / 5) ** 2 + ((y - centre[1]) / 8) ** 2 + ((x - centre[2]) / 6) ** 2
    labels = np.where(inside > 1, 0, np.where(y < centre[1], 1, 2)).astype(np.uint8)
    image = 100 + 40 * (labels > 0) + random.normal(0, 12, labels.shape)
    return image.astype(np.float32), labels


def predict(project: Project, found: Round, case_id: str, seed: int) -> Path:
    """Write a made-up prediction of a case; returns the path of its made-up truth."""
    random = np.random.default_rng(seed)
    _, truth = volume(seed, np.random.default_rng(seed))
    smooth = np.abs(random.normal(0, 0.35, truth.shape))
    border = sum(np.roll(truth, step, axis) != truth for axis in range(3) for step in (-1, 1)) > 0
    wrong = border & (random.random(truth.shape) < 0.25)
    segmentation = np.where(wrong, np.roll(truth, 1, 1), truth).astype(np.uint8)
    doubt = np.clip(0.02 * smooth + 0.45 * border + 0.2 * wrong, 0, 1).astype(np.float32)
    regions = np.ones(truth.shape, np.uint8)
    regions[border] = random.choice([1, 2, 2, 2, 3, 4], int(border.sum()))
    paths = found.prediction(case_id)
    paths.folder.mkdir(parents=True)
    write_array(paths.segmentation, segmentation, GRID)
    write_array(paths.regions, regions, GRID)
    write_array(paths.uncertainty, doubt, GRID)
    voxels = dict(
        zip(("UC", "US", "DC", "DS"), np.bincount(regions.ravel(), minlength=5)[1:], strict=True)
    )
    near = dict(zip(voxels, np.bincount(regions[border], minlength=5)[1:], strict=True))
    write_json(
        paths.summary,
        {
            "case": case_id,
            "round": found.number,
            "voxels": {key: int(value) for key, value in voxels.items()},
            "band_voxels": {key: int(value) for key, value in near.items()},
            "structure_voxels": int((segmentation > 0).sum()),
            "volume_ml": {
                label.name: float((segmentation == label.value).sum() * GRID.voxel_ml)
                for label in project.labels
            },
            "mean_uncertainty": float(doubt[border].mean()),
            "mutual_information": 0.03,
            "doubt": {"US": 0.2, "DC": 0.05, "DS": 0.04},
            "error_rates": None,
        },
    )
    truths = project.path.parent / "truth"
    truths.mkdir(exist_ok=True)
    write_array(truths / f"{case_id}.nrrd", truth, GRID)
    return truths / f"{case_id}.nrrd"


def build_round(project: Project, steps: int = 300) -> Round:
    """A round as the worker leaves it: record, events, predictions, ranking."""
    labelled = project.labelled_cases()
    found = project.new_round(
        {
            "config": {"host": "cps", "loss": "metassl", "minutes": 4.0, "seed": 7},
            "parent": None,
            "labels": {case.id: case.label_version for case in labelled},
            "validation": {},
            "unlabelled": [case.id for case in project.unlabelled_cases()],
            "versions": {"metassl": "0.1.0", "torch": "2.13.0"},
        }
    )
    events = EventWriter(found.events_path)
    events.write("started", device="cpu", device_name="CPU (2 cores)", threads=2, precision="fp32")
    events.write("plan", summary="1 x 1 x 1 mm · patch 32 x 48 x 32 · z-score per case")
    events.write("stage", stage="training", total=steps)
    for step in range(1, steps + 1, 3):
        report_step(events, step, steps)
        if step % 75 == 1:
            mean = 0.86 * (1 - math.exp(-step / 60))
            dice = {"mean": mean, "per_class": {"Anterior": mean + 0.01, "Posterior": mean - 0.01}}
            events.write("validation", step=step, dice=dice, cases=2)
    for seed, case in enumerate(project.unlabelled_cases()):
        predict(project, found, case.id, seed)
        events.write("predicted", case=case.id, doubt={"US": 0.2, "DC": 0.05, "DS": 0.04})
    rank(project, found)
    events.write("finished", seconds=232.0)
    return found


def report_step(events: EventWriter, step: int, total: int) -> None:
    supervised = 0.1 + 1.2 * math.exp(-step / 80) + 0.05 * math.sin(step)
    consistency = 0.04 + 0.3 * math.exp(-step / 50)
    events.write(
        "progress",
        stage="training",
        step=step,
        total=total,
        eta_s=1.0,
        seconds_per_step=0.41,
        data_wait_share=0.012,
        loss={
            "total": supervised + consistency,
            "supervised": supervised,
            "consistency": consistency,
        },
        regions={
            "UC": 0.9,
            "US": 0.05 + 0.2 * math.exp(-step / 60),
            "DC": 0.02 + 0.03 * math.exp(-step / 90),
            "DS": 0.015 + 0.04 * math.exp(-step / 30),
        },
        lr=1e-3,
        memory_mb=1400,
    )


def build_evaluation(project: Project, found: Round) -> dict:
    """Predict the test cases and measure them."""
    items = []
    for seed, case in enumerate(project.test_cases(), start=50):
        truth = predict(project, found, case.id, seed)
        items.append(EvaluationItem(case.id, found.prediction(case.id), truth))
    return {"group": "test", **evaluate(items, project.labels)}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return build_project(tmp_path / "project")


@pytest.fixture
def found(project: Project) -> Round:
    return build_round(project)


def written(
    project: Project, found: Round, evaluation=None, with_pictures=False
) -> tuple[str, Page]:
    out = project.path.parent / "out" / "report.html"
    assert write_report(project, found, out, evaluation, pictures=with_pictures) == out
    text = out.read_text(encoding="utf-8")
    return text, Page(text)


def test_the_page_is_whole_and_needs_neither_scripts_nor_network(project, found):
    text, page = written(project, found, build_evaluation(project, found))
    assert text.startswith("<!DOCTYPE html>")
    assert "script" not in page.tags and "link" not in page.tags and "iframe" not in page.tags
    assert not [key for key, _ in page.attributes if key.startswith("on")]
    links = [value for key, value in page.attributes if key in ("src", "href", "action")]
    assert links and all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    assert "url(" not in text and "@import" not in text
    anchors = {value for key, value in page.attributes if key == "id"}
    assert {link[1:] for link in links if link.startswith("#")} == anchors
    assert "nan" not in re.findall(r"[a-z]+", page.text.lower()) and "None" not in page.text


def test_the_figures_on_the_page_are_those_of_the_evaluation(project, found):
    evaluation = build_evaluation(project, found)
    _, page = written(project, found, evaluation)
    assert f"{evaluation['dice']['mean']:.3f}" in page.text
    for name in ("Anterior", "Posterior"):
        assert f"{evaluation['dice']['per_class'][name]:.3f}" in page.text
        assert f"{evaluation['hd95_mm']['per_class'][name]:.2f}" in page.text
    share = 100 * evaluation["flagged"]["share_of_errors"]
    assert f"{share:.1f} %" in page.text
    assert f"{evaluation['uncertainty']['auroc']:.3f}" in page.text
    assert "measured on 2 cases of the evaluation" in page.text
    assert "not yet measured" not in page.text
    for case in evaluation["cases"]:
        assert case in page.text


def test_without_an_evaluation_the_error_rates_are_not_yet_measured(project, found):
    _, page = written(project, found)
    assert page.text.count("not yet measured") >= 5  # the key figure and the four regions
    assert "metassl evaluate" in page.text
    assert "Share of the predicted volume" in page.text


def test_rates_measured_after_training_stand_beside_the_legend(project, found):
    rates = {"UC": 0.0023, "US": 0.081, "DC": 0.312, "DS": None}
    content = {"rates": rates, "validation_cases": 1, "corrected_cases": 2}
    write_json(found.path / "error_rates.json", content)
    _, page = written(project, found)
    assert "measured on 1 validation case and 2 reviewed cases" in page.text
    for expected in ("0.23 %", "8.1 %", "31.2 %"):
        assert expected in page.text


def test_the_ranking_is_shown_in_order_with_its_reasons_and_states(project, found):
    first = rank(project, found)["cases"][0]
    project.update_case(first["case"], state="rejected")
    _, page = written(project, found)
    order = [entry["case"] for entry in rank(project, found)["cases"]]
    places = [page.text.index(f" {case} ") for case in order]
    assert places == sorted(places)
    assert first["reason"] in page.text and "rejected" in page.text


def test_text_from_the_project_is_never_markup(tmp_path):
    project = build_project(tmp_path / "project", name=HOSTILE)
    document = (project.path / "project.json").read_text()
    hostile = document.replace('"Anterior"', '"<b onload=x>"')
    (project.path / "project.json").write_text(hostile)
    project = Project.open(project.path)
    found = build_round(project)
    events = EventWriter(found.events_path)
    events.write("warning", message=HOSTILE + "\x00\x1b")
    events.write("case_failed", case=HOSTILE, file=HOSTILE, reason=HOSTILE)
    ranking = rank(project, found)
    ranking["cases"][0]["reason"] = HOSTILE
    write_json(found.ranking_path, ranking)
    evaluation = build_evaluation(project, found)
    evaluation["failed"] = {HOSTILE: HOSTILE}
    text, page = written(project, found, evaluation)
    assert "<script" not in text and "<b onload" not in text
    assert "script" not in page.tags and "b" not in page.tags
    assert page.text.count(HOSTILE) >= 5 and "<b onload=x>" in page.text
    assert "\x00" not in text and "\x1b" not in text


def test_attributes_cannot_be_broken_out_of():
    assert tag("p", "a", class_='x" onclick="y') == '<p class="x&quot; onclick=&quot;y">a</p>'
    assert tag("p", ["<i>", tag("b", "&"), None, 3]) == "<p>&lt;i&gt;<b>&amp;</b>3</p>"


def test_a_round_that_has_only_begun_has_a_report(project):
    found = project.new_round({"config": {}})
    _, page = written(project, found, with_pictures=True)
    assert "No case is predicted yet" in page.text
    assert "has not reported a step" in page.text
    assert "created" in page.text


def test_a_failed_round_says_why(project):
    found = project.new_round({"config": {"host": "cps", "loss": "metassl"}})
    events = EventWriter(found.events_path)
    events.write("started", device="cpu", device_name="CPU", precision="fp32")
    events.write("failed", message="the memory is full", hint="use a smaller image")
    _, page = written(project, found)
    assert "the memory is full use a smaller image" in page.text and "failed" in page.text


def test_a_case_labelled_since_it_was_ranked_is_not_waiting_any_more(project, found):
    first = rank(project, found)["cases"][0]["case"]
    truth = volume(1, np.random.default_rng(1))[1]
    _, before = written(project, found)
    project.add_label(first, (truth, GRID), state="corrected")
    _, after = written(project, found)
    assert f"first: {first}" in before.text and f"first: {first}" not in after.text
    assert "1 corrected" in after.text


def test_what_is_no_evaluation_is_refused_in_one_line(project, found):
    for wrong in ({"dice": 1}, {"n_cases": 1, "failed": {}}, {"schema_version": 1}):
        with pytest.raises(MetaSSLError, match="not an evaluation") as error:
            written(project, found, wrong)
        assert "\n" not in str(error.value)


def test_an_evaluation_of_no_case_is_as_none(project, found):
    _, page = written(project, found, {"n_cases": 0, "failed": {"a": "torn"}})
    assert "Not yet measured against true annotations" in page.text


def test_a_damaged_ranking_is_refused_naming_its_file(project, found):
    write_json(found.ranking_path, {"cases": [{"score": "high"}]})
    with pytest.raises(MetaSSLError, match=r"ranking\.json"):
        written(project, found)


def test_a_report_that_cannot_be_written_is_a_project_error(project, found):
    (project.path.parent / "out").write_text("a file where the folder should be")
    with pytest.raises(MetaSSLError, match="out"):
        written(project, found)


def test_a_resumed_training_shows_each_step_once(project):
    found = project.new_round({"config": {}})
    events = EventWriter(found.events_path)
    for step in (10, 20, 30, 20, 25):
        report_step(events, step, 100)
    text, page = written(project, found)
    assert "25 of 100" in page.text
    line = re.search(r'<path d="([^"]+)" class="line"', text).group(1)
    assert len(re.findall("[ML]", line)) == 3  # 10, 20, 25


def test_a_long_curve_is_thinned_and_keeps_its_mean():
    points = [(step, 2 + math.sin(step)) for step in range(10_000)]
    fewer = thinned(points)
    assert len(fewer) <= 240
    assert np.mean([y for _, y in fewer]) == pytest.approx(
        np.mean([y for _, y in points]), abs=0.01
    )
    assert thinned([]) == []


@pytest.mark.parametrize(
    "points", [[], [(1, 0.0)], [(1, 5.0)], [(0, 1e-7), (5, 3e5)], [(1, -2.0), (2, 4.0)]]
)
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
    (folder / "stand_in_renderer.py").write_text(body)
    monkeypatch.setattr(pictures, "MODULE", "stand_in_renderer")
    monkeypatch.setenv("PYTHONPATH", str(folder))


DRAWS = """
import json, pathlib, sys
for job in json.load(open(sys.argv[1]))["pictures"]:
    assert all(pathlib.Path(job[key]).is_file() for key in ("image", "segmentation", "regions"))
    assert [label["name"] for label in job["labels"]] == ["Anterior", "Posterior"]
    if job["title"] == "case_04":
        print(json.dumps({"title": "case_04", "ok": False, "error": "case_04 is too dark."}))
    else:
        pathlib.Path(job["out"]).write_bytes(b"\\x89PNG " + job["title"].encode())
"""


def test_rendered_pictures_are_in_the_page_and_missing_ones_are_said(
    project, found, tmp_path, monkeypatch
):
    renderer(tmp_path, monkeypatch, DRAWS)
    assert len(project.unlabelled_cases()) == 3
    text, page = written(project, found, with_pictures=True)
    assert page.tags.count("img") == 2
    assert text.count("data:image/png;base64,iVBORyBjYXNlX") == 2  # "\x89PNG case_.."
    assert "could be rendered: case_04 is too dark." in page.text
    assert "Anterior" in page.text and "ml" in page.text


def test_without_the_slicer_core_the_report_says_so_and_goes_on(
    project, found, tmp_path, monkeypatch
):
    body = "raise ModuleNotFoundError(\"No module named 'slicer'\")"
    renderer(tmp_path, monkeypatch, body)
    _, page = written(project, found, with_pictures=True)
    assert "pip install 'metassl[report]'" in page.text
    assert "img" not in page.tags and "Ranking by discrepancy" in page.text


def test_a_renderer_that_dies_is_reported_with_its_last_words(
    project, found, tmp_path, monkeypatch
):
    renderer(tmp_path, monkeypatch, "import sys; sys.exit('no graphics here')")
    _, page = written(project, found, with_pictures=True)
    assert "no graphics here" in page.text


def test_a_renderer_that_hangs_is_stopped(project, found, tmp_path, monkeypatch):
    renderer(tmp_path, monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(pictures, "TIMEOUT_S", 0.5)
    _, page = written(project, found, with_pictures=True)
    assert "took longer than 0.5 s" in page.text


def test_the_slicer_core_renders_a_case(project, found):
    if importlib.util.find_spec("slicer") is None:
        pytest.skip("slicer-core is not installed: nothing can render a picture")
    case = project.unlabelled_cases()[0].id
    made = pictures.render(project, found, [case])
    assert made.problem == ""
    assert made.files[case].startswith(b"\x89PNG\r\n") and len(made.files[case]) > 5000


def test_writing_a_report_imports_no_engine():
    code = "import metassl.evaluation.report, metassl.selection, sys; print('torch' in sys.modules)"
    root = str(Path(pictures.__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
