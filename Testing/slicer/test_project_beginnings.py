"""What a project begins with besides volumes: segments, a folder of images, the sample; and the folders round it."""

import importlib.util
import json
import re
import sys
from types import SimpleNamespace

import pytest
from metassl.choices.importers import start_model
from metassl.files import MetaSSLError, ProjectError
from metassl.project import LabelDefinition, Project

if importlib.util.find_spec("slicer") is None:
    pytest.skip("slicer-core is not installed: pip install 'metassl[report]'", allow_module_level=True)

from metassl.project.terms import term_name
from MetaSSLPictures.OffscreenSlicer import OffscreenSlicer
from MetaSSLSlicerLib.Logic.Project.CaseTable import ProjectSummary
from MetaSSLSlicerLib.Logic.Project.NewProject import FolderPreview, NewProject, labelsOfSegmentation
from MetaSSLSlicerLib.Logic.Project.ProjectFolders import (
    MOST,
    RecentProjects,
    isFree,
    nearestProject,
    projectsFolder,
    suggestedFolder,
)
from MetaSSLSlicerLib.Logic.Project.SampleProject import makeSampleProject, registerSampleData

LIVER = (
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure"
    "~SCT^10200004^Liver~^^~Anatomic codes - DICOM master list~^^~^^"
)


# Labels


def test_segments_become_labels_with_their_colours_and_terminology():
    node = OffscreenSlicer(64).scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "S")
    for key, name, color in (("a", "Liver", (1, 0, 0)), ("b", "Liver", (0, 0.5, 1)), ("c", " ", (0, 0, 0))):
        node.GetSegmentation().AddEmptySegment(key, name, color)
    node.GetSegmentation().GetSegment("a").SetTerminology(LIVER)
    labels = labelsOfSegmentation(node)
    assert [(label.value, label.name, label.color) for label in labels] == [
        (1, "Liver", "#FF0000"),
        (2, "Liver 2", "#0080FF"),
        (3, "Structure 3", "#000000"),
    ]
    assert labels[0].terminology == LIVER


def test_a_terminology_entry_is_called_by_its_type():
    assert term_name(LIVER) == "Liver"
    assert term_name(LIVER.replace("Liver~^^", "Kidney~SCT^7771000^Left")) == "Kidney (Left)"
    assert term_name("") == "" and term_name("nonsense") == ""


# A project from a folder


def test_the_preview_says_what_a_data_set_holds(decathlon):
    preview = FolderPreview.read(decathlon)
    assert (preview.cases, preview.channels, preview.name) == (6, 1, "Boxes")
    assert [label.name for label in preview.labels] == ["Front", "Back"]
    assert (preview.labelled, preview.measurable) == (6, 0)
    split = {"train_order": ["case_0", "case_1", "case_2"], "val": ["case_3"], "test": ["case_4", "case_5"]}
    (decathlon / "splits.json").write_text(json.dumps(split), encoding="utf-8")
    preview = FolderPreview.read(decathlon)
    assert (preview.labelled, preview.measurable) == (3, 1)


def test_a_plain_folder_is_called_by_its_own_name(decathlon):
    preview = FolderPreview.read(decathlon / "imagesTr")
    assert (preview.cases, preview.labels, preview.name, preview.labelled) == (6, [], "imagesTr", 0)


def test_a_project_keeps_names_colours_and_terminology_as_they_were_given(tmp_path, decathlon):
    labels = [LabelDefinition(1, "T=2", "#112233"), LabelDefinition(4, "Liver", "#445566", LIVER)]
    path, warnings = NewProject(tmp_path / "p", "My project", labels, source=decathlon / "imagesTr").create()
    project = Project.open(path)
    assert warnings == [] and project.name == "My project"
    assert project.labels == labels and len(project.cases) == 6


def test_label_files_are_imported_as_wished(tmp_path, decathlon):
    labels = FolderPreview.read(decathlon).labels
    path, _ = NewProject(tmp_path / "p", "P", labels, source=decathlon, labelled=3, measured=1).create()
    project = Project.open(path)
    assert len(project.labelled_cases()) == 3 and len(project.validation_cases()) == 1
    assert ProjectSummary.read(project).text == "6 cases: 3 labelled, 2 without a label, 1 to measure with"


def test_a_project_never_goes_into_the_folder_of_its_images(decathlon):
    with pytest.raises(ProjectError, match="not empty: choose a new folder"):
        NewProject(decathlon, "P", [LabelDefinition(1, "A")], source=decathlon).create()


@pytest.mark.parametrize("file", ["", "a.zip", "a.txt"])
def test_what_is_said_of_a_folder_sends_nobody_to_a_terminal(tmp_path, file):
    if file:
        (tmp_path / file).touch()
    for look in (FolderPreview.read, Project.open, lambda folder: start_model([folder])):
        with pytest.raises(MetaSSLError) as caught:
            look(tmp_path)
        told = re.sub(r"[(]on the command line with [^)]*[)]", "", str(caught.value))
        assert str(tmp_path) in told and "metassl " not in told and "--" not in told, "the panel has no such option"


def test_the_summary_counts_every_case_once(tiny_project):
    tiny_project.mark_predicted(["case_3"])
    tiny_project.update_case("case_4", state="in_progress")
    tiny_project.update_case("case_5", state="rejected")
    summary = ProjectSummary.read(tiny_project)
    assert summary.text == "6 cases: 2 labelled, 1 to review, 1 begun, 1 rejected, 1 to measure with"


def test_a_case_of_the_validation_part_without_a_label_is_not_counted_among_those_to_measure_with(tiny_project):
    measured = [case.id for case in tiny_project.validation_cases()]
    tiny_project.update_case(measured[0], state="unlabelled")
    text = ProjectSummary.read(tiny_project).text
    assert "to measure with" not in text and "1 for validation without a label" in text


# Folders


def test_a_suggested_folder_is_always_free(tmp_path):
    assert suggestedFolder(tmp_path, "Liver: CT?") == tmp_path / "Liver_ CT_"
    (tmp_path / "Liver").mkdir()
    assert suggestedFolder(tmp_path, "Liver") == tmp_path / "Liver"
    (tmp_path / "Liver" / "x").touch()
    (tmp_path / "Liver 2").touch()
    assert suggestedFolder(tmp_path, "Liver") == tmp_path / "Liver 3"
    assert suggestedFolder(tmp_path, "...") == tmp_path / "New project"
    assert not isFree(tmp_path) and isFree(tmp_path / "not" / "there")


def test_projects_go_into_the_documents(tmp_path):
    assert projectsFolder(tmp_path) == tmp_path / "MetaSSL"
    (tmp_path / "Documents").mkdir()
    assert projectsFolder(tmp_path) == tmp_path / "Documents" / "MetaSSL"


def test_a_folder_in_a_project_and_one_round_it_both_mean_the_project(tiny_project, tmp_path):
    path = tiny_project.path
    for folder in (path, path / "labels", path / "labels" / ".history", tmp_path):
        assert nearestProject(folder) == path
    other = tmp_path / "another"
    other.mkdir()
    assert nearestProject(other / "deep" / "down" / "a" / "b") is None
    (other / "project.json").touch()
    assert nearestProject(tmp_path) is None  # which of the two?


def test_recent_projects_are_few_newest_first_and_without_doubles():
    recent = RecentProjects()
    for name in [*"abcdefgh", "f"]:
        recent.add(f"/projects/{name}")
    assert [path.name for path in recent.paths] == ["f", "h", "g", "e", "d", "c"]
    assert len(recent.paths) == MOST
    assert RecentProjects.fromText(recent.text).paths == recent.paths
    recent.remove("/projects/./h")
    assert [path.name for path in recent.paths][:2] == ["f", "g"]


@pytest.mark.parametrize("text", [None, "", "nonsense", "{}", "[1]", '[""]', 5])
def test_a_damaged_list_of_recent_projects_is_empty(text):
    assert RecentProjects.fromText(text).paths == []


# The sample


class _Done:
    """A process of the engine that has ended."""

    def __init__(self, code: int, text: str = "") -> None:
        self.code, self.text = code, text

    def poll(self):
        return self


def test_the_sample_project_is_made_once_and_then_opened_as_it_is(tmp_path, decathlon):
    started = []

    def start(arguments: list[str]) -> _Done:
        started.append(arguments)
        decathlon.rename(arguments[1])
        return _Done(0)

    (tmp_path / "sample").mkdir()
    path = makeSampleProject(tmp_path / "sample", start)
    project = Project.open(path)
    assert started == [["sample", str(tmp_path / "sample" / "images"), "--json"]]
    assert len(project.labelled_cases()) == 3 and len(project.validation_cases()) == 2
    assert makeSampleProject(tmp_path / "sample", start) == path and len(started) == 1


def test_a_sample_that_cannot_be_made_says_why(tmp_path):
    with pytest.raises(ProjectError, match="could not be made: the disk is full"):
        makeSampleProject(tmp_path, lambda _arguments: _Done(2, "the disk is full\n"))


def test_slicers_sample_data_offers_it_without_a_download(monkeypatch):
    offered = []
    logic = SimpleNamespace(registerCustomSampleDataSource=lambda **source: offered.append(source))
    monkeypatch.setitem(sys.modules, "SampleData", SimpleNamespace(SampleDataLogic=logic))
    clicks = []
    registerSampleData(lambda: clicks.append(1))
    (source,) = offered
    assert source["category"] == "MetaSSL"
    assert all(isinstance(source[key], str) for key in ("sampleName", "uris", "fileNames", "nodeNames"))
    source["customDownloader"](object())
    assert clicks == [1]
