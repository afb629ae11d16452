"""MONAI itself checks and runs the bundle of a model, as a user calls it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from metassl.exports import export_project
from metassl.imaging import read_labels, read_volume
from metassl.imaging.unit_maps import read_unit_map
from metassl.project import Case, LabelDefinition, Project
from random_model import add_round, random_model

MISSING = [name for name in ("fire", "ignite", "jsonschema") if importlib.util.find_spec(name) is None]
if MISSING:
    pytest.skip(f"{', '.join(MISSING)} not installed: make export-test", allow_module_level=True)

ROOT = Path(__file__).parents[2]
MANDATORY = (
    *("schema", "version", "monai_version", "pytorch_version", "numpy_version", "required_packages_version"),
    *("task", "description", "authors", "copyright", "network_data_format"),
)
"""As the schema of 2024-07-25 has them, which nothing here downloads."""

TENSOR = ("type", "format", "num_channels", "spatial_shape", "dtype", "value_range")


def monai(folder: Path, *words: object) -> str:
    """What `python -m monai.bundle` says in the folder of a bundle; it must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "MetaSSLSlicer"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "monai.bundle", *map(str, words)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Project, Path, list[Path]]:
    """A project with an untrained model, its bundle, and five real images."""
    images = ROOT.parent / "shared" / "data" / "Task04_Hippocampus" / "imagesTr"
    if not images.is_dir():
        pytest.skip(f"the real images are not here: {images}")
    place = tmp_path_factory.mktemp("bundle")
    structures = [LabelDefinition(1, "Anterior"), LabelDefinition(2, "Posterior")]
    project = Project.create(place / "project", "Hippocampi", structures, ["MRI"])
    chosen = sorted(images.glob("hippocampus_*.nii.gz"))[:5]
    project.add_cases([Case(path.name.removesuffix(".nii.gz"), [str(path)]) for path in chosen])
    add_round(project, random_model(project, learnt=True))
    export_project(project, place / "bundle", format="bundle")
    return project, place / "bundle", chosen


def test_its_metadata_and_its_network_pass_monais_own_checks(made, tmp_path):
    _project, bundle, _images = made
    tensor = {"type": "object", "required": TENSOR}
    ends = {key: {"type": "object", "additionalProperties": tensor} for key in ("inputs", "outputs")}
    texts = {name: {"type": "string"} for name in MANDATORY if not name.endswith(("packages_version", "format"))}
    data_format = {"type": "object", "required": list(ends), "properties": ends}
    schema = {"type": "object", "required": MANDATORY, "properties": {**texts, "network_data_format": data_format}}
    (tmp_path / "schema.json").write_text(json.dumps(schema), encoding="utf-8")
    meta = ("--meta_file", "configs/metadata.json")
    assert "metadata is verified with no error" in monai(
        bundle, "verify_metadata", *meta, "--filepath", tmp_path / "schema.json"
    )
    config = ("--config_file", "configs/inference.json")
    assert "verified with no error" in monai(bundle, "verify_net_in_out", "network_def", *meta, *config)


def test_run_by_monai_it_writes_the_voxels_that_the_project_has(made, tmp_path):
    from metassl.inference.predict import predict_project

    project, bundle, images = made
    (tmp_path / "images").mkdir()
    for image in images:
        (tmp_path / "images" / image.name).symlink_to(image)
    options = ("--dataset_dir", tmp_path / "images", "--output_dir", tmp_path / "out", "--device", "cpu")
    monai(bundle, "run", "--config_file", "configs/inference.json", *options)
    assert len(list((tmp_path / "out").iterdir())) == 4 * len(images)
    for case, own in predict_project(project, device="cpu"):
        for path, kind in ((own.segmentation, ""), (own.regions, "_regions")):
            array, grid = read_labels(tmp_path / "out" / f"{case}{kind}.nii.gz", case)
            expected, own_grid = read_labels(path, case)
            assert len(np.unique(expected)) > 1 and np.array_equal(array, expected)
            assert grid.difference(own_grid) == ""
        for path in (own.uncertainty, own.error_probability):
            [values], _grid = read_volume(tmp_path / "out" / f"{case}_{path.stem}.nii.gz", case)
            assert np.abs(values - read_unit_map(path, case)[0]).max() < 0.004, "the project keeps a byte a voxel"
