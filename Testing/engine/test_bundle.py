"""The model as a MONAI bundle: what is in it, and that its parts and `metassl predict` give the same voxels."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from metassl.cli import main
from metassl.exports import export_project
from metassl.files import ProjectError
from metassl.imaging import read_image, read_labels, write_array
from metassl.inference.bundle import cases_in
from metassl.inference.bundle.read import read_bundle
from metassl.inference.elsewhere.sources import nnunet_model
from metassl.inference.operating_point.point import Point
from metassl.inference.outside import ModelForImages, predict_images
from metassl.inference.predictor import predict_image
from metassl.project import LabelDefinition, Project
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from nnunet_folder import nnunet_folder
from random_model import CPU, add_round, random_model

MAPS = ("segmentation", "regions", "uncertainty", "error_probability")


@pytest.fixture
def made(tiny_project, tmp_path):
    """The model and the folder of its bundle."""
    model = random_model(tiny_project, learnt=True)
    model.point = Point([0.0, 0.5, -0.75], [2])
    add_round(tiny_project, model)
    told = export_project(tiny_project, tmp_path / "bundle", format="bundle")
    assert told.made == "a MONAI bundle of the model of round 0001 (2 structures)"
    return model, tmp_path / "bundle"


@pytest.fixture
def in_bundle(monkeypatch):
    """in_bundle(folder, **changes) -> its configuration, parsed as MONAI does it in that folder."""

    def parse(folder, **changes) -> ConfigParser:
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == "scripts"]:
            monkeypatch.delitem(sys.modules, name)
        parser = ConfigParser()
        parser.read_config("configs/inference.json")
        parser.read_meta("configs/metadata.json")
        parser.update({"device": "cpu", **changes})
        parser.parse()
        return parser

    return parse


def maps_of(parser: ConfigParser, network, data: dict) -> dict[str, np.ndarray]:
    """What the parts give for one item of a data set, (z, y, x), without writing it."""
    item = parser.get_parsed_content("preprocessing")(data)
    with torch.no_grad():
        item["pred"] = parser.get_parsed_content("inferer")(item["image"][None], network)[0]
    item = parser.get_parsed_content("postprocessing#transforms#0")(item)
    names = {"segmentation": "pred"}
    keys = {name: names.get(name, name) for name in MAPS}
    return {name: item[key][0].numpy().transpose(2, 1, 0) for name, key in keys.items() if key in item}


def test_it_has_the_files_that_monai_asks_for_and_says_what_the_model_is(made, tiny_project):
    model, folder = made
    for name in ("configs/metadata.json", "configs/inference.json", "models/model.pt", "docs/README.md", "LICENSE"):
        assert (folder / name).stat().st_size > 100
    about = json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8"))
    assert about["label_classes"] == "0 = background, 1 = Front, 2 = Back"
    assert about["license"] == about["authors"] == "not stated"
    assert about["version"] in about["changelog"]
    image, pred = about["network_data_format"]["inputs"]["image"], about["network_data_format"]["outputs"]["pred"]
    assert (image["num_channels"], image["channel_def"]) == (1, {"0": "MRI"})
    assert image["spatial_shape"] == list(model.plan.patch_zyx)
    assert pred["channel_def"] == {"0": "background", "1": "Front", "2": "Back"}
    assert {"metassl", "SimpleITK"} <= about["required_packages_version"].keys()


def test_neither_cases_nor_paths_go_into_it(made, tiny_project, decathlon):
    _model, folder = made
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(text.encode() in content for text in ("case_", str(decathlon), str(tiny_project.path))), path


@pytest.mark.parametrize(
    ("first_level", "offsets"),
    [((1, 1, 1), None), ((2, 2, 2), None), ((1, 1, 1), [0.0, 1.5, -0.5])],
    ids=["whole grid", "first level pools", "with an operating point"],
)
def test_its_network_needs_no_metassl_and_gives_the_mean_of_both(
    tiny_project, tmp_path, in_bundle, first_level, offsets
):
    model = random_model(tiny_project, strides=(first_level, (2, 2, 2), (2, 2, 2)))
    model.point = Point(offsets)
    add_round(tiny_project, model)
    export_project(tiny_project, tmp_path / "bundle", format="bundle")
    network = in_bundle(tmp_path / "bundle").get_parsed_content("network_def").eval()
    assert type(network).__module__ == "scripts.unet"
    code = (tmp_path / "bundle" / "scripts" / "unet.py").read_text(encoding="utf-8")
    assert "\nfrom metassl" not in code and "\nimport metassl" not in code
    network.load_state_dict(torch.load("models/model.pt", weights_only=True))
    image = torch.rand(1, 1, 16, 16, 16)
    with torch.no_grad():
        shift = torch.tensor(offsets or [0.0] * 3).view(1, 3, 1, 1, 1)
        mean = sum((each(image) + shift).softmax(1) for each in model.networks) / 2
        assert torch.equal(network(image), mean)


def test_its_parts_give_the_voxels_that_the_model_gives(made, in_bundle, decathlon):
    model, folder = made
    parser = in_bundle(folder, dataset_dir=str(decathlon / "imagesTr"))
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load("models/model.pt", weights_only=True))
    items = cases_in(str(decathlon / "imagesTr"), ["MRI"])
    assert [item["case"] for item in items] == [f"case_{number}" for number in range(6)]
    found = maps_of(parser, network, items[2])
    own = predict_image(model, read_image([decathlon / "imagesTr" / "case_2.nii.gz"], "case_2"), "case_2")
    assert len(np.unique(own.segmentation)) > 1 and len(np.unique(own.regions)) > 1
    for name in MAPS:
        assert np.array_equal(found[name], getattr(own, name)), name


@pytest.mark.parametrize("flat", [False, True], ids=["3-D", "2-D"])
def test_a_model_of_nnunet_gives_the_voxels_that_it_gives_in_its_project(
    tiny_project, tmp_path, in_bundle, decathlon, flat
):
    labels = {"background": 0, **{label.name: label.value for label in tiny_project.labels}}
    folder = nnunet_folder(tmp_path / "nnunet", flat=flat, labels=labels, channels=tiny_project.channels)
    model = nnunet_model(folder, CPU)
    add_round(tiny_project, model)
    export_project(tiny_project, tmp_path / "bundle", format="bundle")
    assert "without metassl nothing" in (tmp_path / "bundle" / "docs" / "README.md").read_text(encoding="utf-8")
    parser = in_bundle(tmp_path / "bundle")
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load("models/model.pt", weights_only=True))
    image = read_image([decathlon / "imagesTr" / "case_2.nii.gz"], "case_2")
    bordered = image.array.copy()
    bordered[:, :, :3] = 0  # is cut off, and has to come back
    write_array(tmp_path / "scan.nii.gz", bordered[0], image.geometry)
    found = maps_of(parser, network, cases_in(str(tmp_path / "scan.nii.gz"), ["MRI"])[0])
    own = predict_image(model, read_image([tmp_path / "scan.nii.gz"], "scan"), "scan")
    assert len(np.unique(own.segmentation)) > 1
    for name in found:
        assert np.array_equal(found[name], getattr(own, name)), name


def test_an_image_in_memory_with_nothing_but_its_affine_gives_the_same_labels(made, in_bundle, decathlon):
    """As MONAI Deploy hands it over, after it has taken LoadImaged out."""
    model, folder = made
    parser = in_bundle(folder, **{"preprocessing#transforms#0#_disabled_": True})
    network = torch.jit.script(parser.get_parsed_content("network_def").eval())
    network.load_state_dict(torch.load("models/model.pt", weights_only=True))
    image = read_image([decathlon / "imagesTr" / "case_2.nii.gz"], "case_2")
    moved = torch.from_numpy(np.ascontiguousarray(image.array[0].transpose(2, 1, 0)))
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.geometry.ijk_to_ras
    meta = {"affine": affine, "space": "LPS", "original_channel_dim": "no_channel"}
    handed = MetaTensor(moved, meta=meta)
    found = maps_of(parser, network, {"image": handed})
    own = predict_image(model, image, "case_2").segmentation
    assert np.mean(found["segmentation"] == own) > 0.999  # the scripted network rounds in another way


def test_predict_by_the_bundle_is_predict_by_the_project(made, tiny_project, decathlon, tmp_path):
    _model, folder = made
    by = {
        "by_project": ModelForImages.of_round(tiny_project, tiny_project.round(1), "cpu"),
        "by_bundle": ModelForImages.of_bundle(folder, "cpu"),
    }
    for name, source in by.items():
        predict_images(source, [decathlon / "imagesTr"], tmp_path / name, maps=True)
    files = sorted(path.name for path in (tmp_path / "by_project").iterdir())
    assert len(files) == 6 * len(MAPS)
    for name in files:
        assert (tmp_path / "by_bundle" / name).read_bytes() == (tmp_path / "by_project" / name).read_bytes(), name


def test_what_is_read_from_it_is_what_was_written(made, tiny_project):
    model, folder = made
    read = read_bundle(folder, CPU)
    assert (read.structures, read.channels) == (tiny_project.labels, tiny_project.channels)
    assert read.model.plan == model.plan and torch.equal(read.model.thresholds, model.thresholds)
    assert (read.model.framework, read.model.step, read.model.values) == ("cps", 7, [0, 1, 2])


def test_names_that_monai_would_run_are_texts_in_it(tmp_path, in_bundle):
    names = ["$__import__('os').mkdir('ran')", "@network", "%nowhere.json"]
    labels = [LabelDefinition(value, name) for value, name in enumerate(names, start=1)]
    project = Project.create(tmp_path / "project", "$1/0", labels, ["@image"])
    add_round(project, random_model(project))
    export_project(project, tmp_path / "bundle", format="bundle")
    parser = in_bundle(tmp_path / "bundle")
    for key in ("_meta_", "channels"):
        parser.get_parsed_content(key)
    assert not (tmp_path / "bundle" / "ran").exists()
    read = read_bundle(tmp_path / "bundle", CPU)
    assert ([each.name for each in read.structures], read.channels) == (names, ["@image"])


def replace_offsets(configuration):
    content = json.loads(configuration.read_text("utf-8"))
    configuration.write_text(json.dumps({**content, "offsets": [0.0, 1.0]}), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda folder: (folder / "configs" / "metassl.json").unlink(), "is no bundle of MetaSSL"),
        (lambda folder: (folder / "models" / "model.pt").write_bytes(b"torn"), "cannot be read as the weights"),
        (lambda folder: torch.save(["a"], folder / "models" / "model.pt"), "something else than the weights"),
        (lambda folder: torch.save({}, folder / "models" / "model.pt"), "is not a MetaSSL model"),
        (lambda folder: (folder / "configs" / "inference.json").write_text("{}", encoding="utf-8"), "damaged bundle"),
        (
            lambda folder: replace_offsets(folder / "configs" / "inference.json"),
            "bundle is not a MetaSSL model: its operating point",
        ),
        (
            lambda folder: (folder / "configs" / "metassl.json").write_text('{"channels": 3}', encoding="utf-8"),
            "of the wrong kind",
        ),
    ],
)
def test_a_damaged_bundle_is_told_in_a_sentence(made, change, told, capsys, tmp_path):
    _model, folder = made
    change(folder)
    with pytest.raises(ProjectError, match=told):
        read_bundle(folder, CPU)
    assert main(["predict", str(folder), "--images", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert told in capsys.readouterr().err


def test_weights_that_would_run_code_are_refused(made, tmp_path):
    _model, folder = made

    class Bad:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"first.x": Bad()}, folder / "models" / "model.pt")
    with pytest.raises(ProjectError, match="cannot be read as the weights"):
        read_bundle(folder, CPU)
    assert not (tmp_path / "ran").exists()


def test_a_structure_that_the_model_does_not_know_is_told(tiny_project, tmp_path):
    add_round(tiny_project, random_model(tiny_project))
    assert main(["structure", str(tiny_project.path), "add", "3=Later"]) == 0
    told = export_project(Project.open(tiny_project.path), tmp_path / "bundle", format="bundle")
    assert any("does not know Later" in note for note in told.notes)
    assert [each.name for each in read_bundle(tmp_path / "bundle", CPU).structures] == ["Front", "Back"]


def test_without_a_model_or_without_torch_there_is_a_sentence_and_no_folder(tiny_project, tmp_path, monkeypatch):
    with pytest.raises(ProjectError, match="no trained model yet"):
        export_project(tiny_project, tmp_path / "bundle", format="bundle")
    monkeypatch.delitem(sys.modules, "metassl.inference.bundle.write", raising=False)
    monkeypatch.setitem(sys.modules, "metassl.networks.unet", None)
    monkeypatch.setattr("metassl.networks.unet", None, raising=False)
    with pytest.raises(ProjectError, match="only where it can be trained"):
        export_project(tiny_project, tmp_path / "bundle", format="bundle")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("kind", ["a DICOM series", "a file a channel", "a file of two volumes"])
def test_all_that_metassl_reads_goes_through_its_parts(kind, tmp_path, in_bundle, make_case, make_grid, two_labels):
    channels = ["image"] if kind == "a DICOM series" else ["T1", "T2"]
    arrays = [make_case(seed)[0] for seed in range(len(channels))]
    (tmp_path / "images").mkdir()
    if kind == "a DICOM series":
        dicom_files = pytest.importorskip("dicom_files", reason="it needs pydicom")
        dicom_files.write_slices(tmp_path / "images" / "scan", arrays[0].astype(np.int16))
    elif kind == "a file a channel":
        for place, array in enumerate(arrays):
            write_array(tmp_path / "images" / f"scan_{place:04d}.nii.gz", array, make_grid())
    else:
        volumes = [make_grid().apply(sitk.GetImageFromArray(array)) for array in arrays]
        sitk.WriteImage(sitk.JoinSeries(volumes), str(tmp_path / "images" / "scan.nii.gz"))
    project = Project.create(tmp_path / "project", "any", two_labels, channels)
    add_round(project, random_model(project))
    export_project(project, tmp_path / "bundle", format="bundle")
    parser = in_bundle(tmp_path / "bundle")
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load("models/model.pt", weights_only=True))
    (item,) = cases_in(str(tmp_path / "images"), channels)
    found = maps_of(parser, network, item)
    source = ModelForImages.of_round(project, project.round(1), "cpu")
    done = predict_images(source, [tmp_path / "images"], tmp_path / "out")
    own = read_labels(done.predicted["scan"], "scan")[0]
    assert len(np.unique(own)) > 1 and np.array_equal(found["segmentation"], own)
