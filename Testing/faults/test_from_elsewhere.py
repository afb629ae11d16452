"""A project, a model or a checkpoint from a stranger runs no code and writes nothing outside of its folder."""

import ast
import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from faults.sample_project import GRID, image, label, make_project, write_images
from metassl import cli
from metassl.files import MetaSSLError, write_json
from metassl.frameworks import build_framework
from metassl.imaging import write_array
from metassl.inference.model import TrainedModel
from metassl.networks.checkpoint import load_checkpoint
from metassl.project import Project
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFormat import autosavePath, writeAutosave
from tiny_plan import tiny_plan

PRODUCT = Path(__file__).parents[2] / "MetaSSLSlicer"
CPU = torch.device("cpu")
UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml"}
CALLS = {"eval", "exec", "os.system", "os.popen", "numpy.fromfile", "shutil.unpack_archive", "torch.jit.load"}


def dotted(node):
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def dangers(source):
    """Calls and imports by which what a file says could be run."""
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        yield from (f"imports {name}" for name in names if name.split(".")[0] in UNPICKLERS)
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func).replace("np.", "numpy.", 1)
        options = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
        if name in CALLS:
            yield f"calls {name}"
        if name == "torch.load" and options.get("weights_only") is not True:
            yield "calls torch.load without weights_only=True"
        if options.get("allow_pickle", False) is not False or options.get("shell", False) is not False:
            yield f"calls {name} with a pickle or a shell"


def test_no_source_can_run_what_a_file_says():
    files = sorted(PRODUCT.rglob("*.py"))
    assert len(files) > 150
    found = [f"{path.name} {danger}" for path in files for danger in dangers(path.read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from yaml import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
        "subprocess.run(words, shell=True)",
    ],
)
def test_such_a_source_would_be_noticed(source):
    assert len(list(dangers(source))) == 1


class Attack:
    """Pickled, it says: make this folder as soon as I am read."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def saved_model(path):
    plan = tiny_plan(patch_zyx=(8, 8, 8), filters=(2, 4, 4))
    networks = tuple(build_framework("cps", plan).inference_pair())
    TrainedModel(networks, plan, torch.full((2, 2, 3), 0.5), [0, 1, 2], "cps", 9, CPU, None).save(path)
    return path


def inside_a_model(mark):
    source, buffer = zipfile.ZipFile(saved_model(mark.with_name("sound.pt"))), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in source.namelist():
            attack = name.endswith("data.pkl")
            archive.writestr(name, pickle.dumps(Attack(mark), 2) if attack else source.read(name))
    return buffer.getvalue()


def saved_by_torch(mark, **options):
    buffer = io.BytesIO()
    torch.save({"schema_version": 1, "plan": Attack(mark)}, buffer, **options)
    return buffer.getvalue()


ATTACKS = {
    "a bare pickle": lambda mark: pickle.dumps(Attack(mark)),
    "in a model": inside_a_model,
    "by torch": saved_by_torch,
    "by an old torch": lambda mark: saved_by_torch(mark, _use_new_zipfile_serialization=False),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_malicious_checkpoint_does_nothing(tmp_path, attack):
    mark, path = tmp_path / "attacked", tmp_path / "model.pt"
    path.write_bytes(ATTACKS[attack](mark))
    for load in (load_checkpoint, lambda path: TrainedModel.load(path, CPU)):
        with pytest.raises(MetaSSLError, match="cannot be read as a checkpoint"):
            load(path)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Attack(mark)))
    assert mark.exists()  # the attack is a real one


@pytest.fixture
def project(tmp_path):
    made = make_project(tmp_path / "project", write_images(tmp_path / "images"), labelled=2)
    record = {"labels": {}, "unlabelled": ["scan_2"], "validation": {}, "config": {}}
    folder = made.new_round(record).prediction("scan_2")
    folder.folder.mkdir()
    write_array(folder.segmentation, label(1), GRID)
    write_json(folder.summary, {"uncertainty": {}})
    return made


@pytest.fixture
def outside(tmp_path):
    """Whatever is not the project's: it must stay as it is."""
    folder = tmp_path / "outside"
    (folder / "empty").mkdir(parents=True)
    (folder / "file").write_text("mine", encoding="utf-8")
    write_array(folder / "image.nrrd", image(9), GRID)
    return folder


def use(path, target):
    """All that writes. Returns what was said."""
    said = []

    def attempt(act):
        try:
            act()
        except MetaSSLError as error:
            said.append(str(error))

    def annotate():
        project = Project.open(path)
        for case_id in project.cases:
            attempt(lambda case_id=case_id: project.add_label(case_id, (label(5), GRID)))
            attempt(lambda case_id=case_id: project.update_case(case_id, seconds_spent=3.0))
            attempt(lambda case_id=case_id: project.read_label(case_id))
        attempt(lambda: project.update_settings(strategy="entropy"))
        attempt(lambda: project.new_round({"labels": {}, "unlabelled": [], "validation": {}, "config": {}}))

    attempt(annotate)
    for words in (["export", str(path), str(target)], ["status", str(path)], ["rank", str(path)]):
        assert cli.main(words) in (0, 1, 2)
    return said


def changed_case(project, **changes):
    file = project.path / "cases.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document["cases"][0].update(changes)
    file.write_text(json.dumps(document), encoding="utf-8")


def unchanged_around(tmp_path, project, outside):
    """State of everything beside the project and the export."""
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in sorted(tmp_path.rglob("*"))
        if not path.is_relative_to(project.path) and not path.is_relative_to(tmp_path / "export")
    }


PATHS = ("../outside/x", "../../x", "/tmp/x", "..", "a/../../outside/x", "C:\\x", "..\\outside\\x", "x\0")


@pytest.mark.parametrize("field", ["id", "label_version"])
@pytest.mark.parametrize("text", PATHS)
def test_an_id_or_a_version_leads_nowhere(tmp_path, project, outside, field, text):
    changed_case(project, **{field: text})
    before = unchanged_around(tmp_path, project, outside)
    said = use(project.path, tmp_path / "export")
    assert said and all("cases.json" in each for each in said)
    assert unchanged_around(tmp_path, project, outside) == before
    assert not (tmp_path / "export").exists()


def test_names_in_project_json_are_no_paths(tmp_path, project, outside):
    file = project.path / "project.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document["name"], document["channels"] = "../outside/name", ["../outside/channel"]
    document["labels"][0]["name"] = "../outside/label"
    document["settings"] = {"strategy": "../outside/strategy"}
    file.write_text(json.dumps(document), encoding="utf-8")
    before = unchanged_around(tmp_path, project, outside)
    use(project.path, tmp_path / "export")
    assert unchanged_around(tmp_path, project, outside) == before


def test_an_image_from_elsewhere_is_read_and_never_written(tmp_path, project, outside):
    changed_case(project, images=["../outside/image.nrrd"], label_version=None, state="unlabelled", image_hashes=[])
    before = unchanged_around(tmp_path, project, outside)
    use(project.path, tmp_path / "export")
    assert unchanged_around(tmp_path, project, outside) == before
    assert np.array_equal(Project.open(project.path).read_label("scan_0")[0], label(5))


FOLDERS = ("labels", "labels/.history", "journal", "cache", "rounds", "images")
LINKS = {
    **dict.fromkeys(FOLDERS, "empty"),
    "rounds/0001/predictions": "empty",
    "rounds/0001/checkpoints": "empty",
    "rounds/0001/events.jsonl": "file",
    "rounds/0001/log.txt": "file",
    ".lock": "new",
}


def link(project, place, target):
    path = project.path / place
    if path.is_dir():
        for inside in sorted(path.rglob("*"), reverse=True):
            inside.rmdir() if inside.is_dir() else inside.unlink()
        path.rmdir()
    path.unlink(missing_ok=True)
    path.symlink_to(target)


@pytest.mark.skipif(os.name == "nt", reason="Windows lets only administrators make links")
@pytest.mark.parametrize("place", LINKS)
def test_a_link_that_leads_out_is_refused_with_a_sentence(tmp_path, project, outside, place, capsys):
    link(project, place, outside / LINKS[place])
    before = unchanged_around(tmp_path, project, outside)
    said = use(project.path, tmp_path / "export")
    if place != "rounds":  # then it has no rounds that could be gone through, and says it all the same
        assert place in said[0]
    assert len(said) == 1 and "is a link that leads out of the project" in said[0]
    assert unchanged_around(tmp_path, project, outside) == before
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows lets only administrators make links")
@pytest.mark.parametrize("place", ["labels/.history", "labels", "journal"])
def test_a_link_that_is_made_after_the_project_was_opened_is_refused_too(tmp_path, project, outside, place):
    link(project, place, outside / "empty")
    before = unchanged_around(tmp_path, project, outside)
    acts = (
        lambda: project.add_label("scan_0", (label(5), GRID)),
        lambda: project.update_case("scan_0", seconds_spent=3.0),
        lambda: project.new_round({"labels": {}}),
    )
    for act in acts:
        with pytest.raises(MetaSSLError, match="is a link that leads out of the project"):
            act()
    assert unchanged_around(tmp_path, project, outside) == before


@pytest.mark.skipif(os.name == "nt", reason="Windows lets only administrators make links")
def test_no_autosave_is_written_through_a_link(project, outside):
    link(project, "journal", outside / "empty")
    with pytest.raises(MetaSSLError, match="is a link that leads out of the project"):
        writeAutosave(autosavePath(project, "scan_2"), label(5), GRID, project.labels)
    assert list((outside / "empty").iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows lets only administrators make links")
@pytest.mark.parametrize("place", ["labels/scan_0.nrrd", "cases.json", "project.json"])
def test_a_file_that_is_a_link_is_replaced_and_its_target_stays(tmp_path, project, outside, place):
    content = (project.path / place).read_bytes()
    (outside / "target").write_bytes(content)
    link(project, place, outside / "target")
    before = unchanged_around(tmp_path, project, outside)
    assert use(project.path, tmp_path / "export") == []
    assert unchanged_around(tmp_path, project, outside) == before
    assert not (project.path / place).is_symlink()


@pytest.mark.skipif(os.name == "nt", reason="Windows lets only administrators make links")
def test_links_inside_of_a_project_are_followed(tmp_path, project):
    (project.path / "cache").rmdir()
    (project.path / "elsewhere").mkdir()
    (project.path / "cache").symlink_to("elsewhere")
    assert use(project.path, tmp_path / "export") == []
    assert np.array_equal(Project.open(project.path).read_label("scan_0")[0], label(5))


ROUNDS = (
    {"labels": ["scan_0"]},
    {"labels": {"scan_0": 3}},
    {"config": [1]},
    {"config": {"seed": "x"}},
    {"config": {"minutes": True}},
    {"unlabelled": "scan_2"},
    {"parent": "../../outside"},
    {"versions": 3},
)


@pytest.mark.parametrize("changes", ROUNDS, ids=str)
def test_a_record_of_a_round_that_is_of_the_wrong_kind_is_named_by_every_command(tmp_path, project, changes, capsys):
    record = project.latest_round().record_path
    project.latest_round().model_path.touch()
    record.write_text(json.dumps({**json.loads(record.read_text(encoding="utf-8")), **changes}), encoding="utf-8")
    page = ["--no-pictures", "--out", str(tmp_path / "page.html")]
    for words in (["status", str(project.path)], ["report", str(project.path), *page]):
        assert cli.main(words) == 2
        said = capsys.readouterr().err.strip()
        assert "round.json is of the wrong kind" in said and "\n" not in said


def test_a_ranking_of_the_wrong_kind_is_named(tmp_path, project, capsys):
    found = project.latest_round()
    found.model_path.touch()
    write_json(found.ranking_path, {"cases": [{"case": ["scan_2"], "score": 1.0}]})
    page = ["--no-pictures", "--out", str(tmp_path / "page.html")]
    assert cli.main(["report", str(project.path), *page]) == 2
    assert "ranking.json is of the wrong kind; run `metassl rank`" in capsys.readouterr().err


def test_a_terminal_does_not_obey_what_a_project_says(project, capsys):
    file = project.path / "project.json"
    file.write_text(
        json.dumps({**json.loads(file.read_text(encoding="utf-8")), "name": "\x1b[2J\x1b]0;mine\x07 Liver"}),
        encoding="utf-8",
    )
    assert cli.main(["status", str(project.path)]) == 0
    shown = capsys.readouterr().out
    assert "Liver" in shown and "\x1b" not in shown and "\x07" not in shown
