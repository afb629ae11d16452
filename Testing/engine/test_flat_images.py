"""2-D images, and volumes of a few slices: they are turned and bent in their plane, wherever it lies."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from framework_parts import fresh_framework
from in_process import trainings_in_this_process
from metassl.data.augment import Augmentation, local_mean
from metassl.data.plan import Plan
from metassl.data.streams import PatchSampler, PreparedCase
from metassl.data.topology import plan_patch
from metassl.frameworks import FRAMEWORKS
from metassl.frameworks.views import strong_view
from metassl.imaging.images import IGNORE
from metassl.jobs.liveness import job_status
from metassl.jobs.start import start_training
from metassl.project import LabelDefinition, Project
from metassl.project.cases import Case
from metassl.training import worker
from metassl.training.inputs import InputReader
from metassl.training.job import Job
from metassl.training.train import augmentation

AXIAL, CORONAL, SAGITTAL, FEW = (1, 48, 40), (48, 1, 40), (48, 40, 1), (3, 48, 40)  # (z, y, x)


def discs(folder, shape, spacing=(1.0, 1.0, 1.0)) -> Project:
    """Five noisy images (z, y, x) of a bright disc, two of them labelled, one for validation; spacing (x, y, z)."""
    made = Project.create(folder / "project", "Discs", [LabelDefinition(1, "Disc")], ["MR"])
    grid = np.indices(shape)
    for number in range(5):
        rng = np.random.default_rng(number)
        centre = [rng.uniform(14, 24) if length > 3 else 0.5 * length for length in shape]
        away = sum((i - c) ** 2 for i, c, length in zip(grid, centre, shape, strict=True) if length > 3)
        disc = (away < 60).astype(np.uint8)
        for array, name in ((disc * 2 + rng.normal(0, 0.3, shape), "image"), (disc, "label")):
            image = sitk.GetImageFromArray(array.astype(np.float32 if name == "image" else np.uint8))
            image.SetSpacing(spacing)
            sitk.WriteImage(image, str(folder / f"{name}{number}.nrrd"))
        split = "validation" if number == 4 else "pool"
        made.add_cases([Case(f"disc{number}", [str(folder / f"image{number}.nrrd")], split)])
        if number in (0, 1, 4):
            made.add_label(f"disc{number}", folder / f"label{number}.nrrd")
    return made


def job_of(project, monkeypatch, **options) -> Job:
    """A job that `start_training` made, not yet run."""
    made = []
    with trainings_in_this_process(monkeypatch), monkeypatch.context() as patch:
        patch.setattr(worker, "run_training", made.append)
        start_training(project, device="cpu", **options)
    return made[0]


def sampler_of(project, monkeypatch) -> tuple[PatchSampler, Plan]:
    job = job_of(project, monkeypatch, iterations=2)
    reader = InputReader(project, job.round, job.emit)
    plan = reader.plan("cpu", 1 << 32, None)
    inputs = reader.prepare(plan, lambda done, total: None)
    return PatchSampler(plan, inputs.labelled, inputs.unlabelled, 0, augmentation(job, plan)), plan


@pytest.mark.parametrize(("framework", "shape"), [("cps", AXIAL), ("fixmatch", AXIAL), ("cps", CORONAL)])
def test_a_project_of_2d_images_trains_and_predicts(framework, shape, tmp_path, monkeypatch):
    project = discs(tmp_path, shape)
    with trainings_in_this_process(monkeypatch):
        found = start_training(project, iterations=6, device="cpu", framework=framework)
    assert job_status(found).state == "finished" and job_status(found).failed_cases == {}
    assert sitk.ReadImage(str(found.prediction("disc2").regions)).GetSize() == shape[::-1]


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        (AXIAL, (1.0, 1.0, 1.0)),
        (AXIAL, (1.5, 1.2, 1.0)),
        (CORONAL, (1.0, 1.0, 1.0)),
        (CORONAL, (1.0, 9.0, 1.0)),
        (SAGITTAL, (1.0, 1.2, 1.5)),
        (FEW, (1.5, 1.2, 1.0)),
    ],
)
def test_most_of_the_labels_stay_in_the_views(shape, spacing, tmp_path, monkeypatch):
    sampler, plan = sampler_of(discs(tmp_path, shape, spacing), monkeypatch)
    assert plan.patch_zyx[0] == min(shape) and plan.is_stack
    labels = torch.cat([sampler.batch(step).annotation for step in range(25)])
    inside = (labels != IGNORE).float().mean((1, 2, 3))
    assert inside.mean() > 0.75 and inside.min() > 0.5
    assert (labels == 1).any()


@pytest.mark.parametrize("name", list(FRAMEWORKS))
def test_every_framework_learns_from_slices(name, tiny_plan):
    flat = {"patch_zyx": (1, 32, 32), "kernels": ((1, 3, 3),) * 3, "strides": ((1, 1, 1), (1, 2, 2), (1, 2, 2))}
    plan = tiny_plan(**flat)
    rng = np.random.default_rng(0)
    image, label = rng.normal(size=(1, 1, 36, 30)).astype(np.float16), rng.integers(0, 3, (1, 36, 30)).astype(np.uint8)
    case = PreparedCase("slice", image, label)
    batch = PatchSampler(plan, [case], [], 0, Augmentation.of_stacks()).batch(0)
    output = fresh_framework(name, plan).training_loss(batch, 0.9)
    assert torch.isfinite(output.total)


@pytest.mark.parametrize("length", [1, 2])
def test_every_strong_change_works_on_one_slice_and_on_two(length):
    images = torch.randn(2, 1, length, 20, 20)
    for seed in range(20):
        torch.manual_seed(seed)
        views, _ = strong_view(images)
        assert views.shape == images.shape and torch.isfinite(views).all()


def test_a_plan_of_few_slices_that_are_thinner_than_their_pixels_takes_no_more_slices_than_there_are():
    assert plan_patch((5, 256, 256), (1.0, 1.2, 1.2), 90_000).patch_zyx[0] == 5
    assert plan_patch((20, 256, 256), (1.0, 1.2, 1.2), 90_000).patch_zyx[0] >= 16


def test_a_local_mean_is_of_the_neighbours_that_there_are_and_not_across_a_slice_or_two():
    volume = torch.randn(1, 5, 6, 7)
    means = local_mean(volume)[0]
    assert float(means[2, 3, 3]) == pytest.approx(float(volume[0, 1:4, 2:5, 2:5].mean()), abs=1e-6)
    assert float(means[0, 0, 0]) == pytest.approx(float(volume[0, :2, :2, :2].mean()), abs=1e-6)
    for few in (1, 2):
        assert torch.allclose(local_mean(volume[:, :few]), local_mean(volume, in_plane=True)[:, :few])
    assert float(local_mean(volume, in_plane=True)[0, 2, 3, 3]) == pytest.approx(
        float(volume[0, 2, 2:5, 2:5].mean()), abs=1e-6
    )


def test_a_structure_that_a_coarser_grid_loses_is_told(tmp_path, monkeypatch):
    project = discs(tmp_path, FEW, (1.0, 1.0, 5.0))
    image = sitk.ReadImage(str(tmp_path / "label1.nrrd"))
    one_voxel = image * 0
    one_voxel[20, 24, 1] = 1
    sitk.WriteImage(one_voxel, str(tmp_path / "label1.nrrd"))
    project.add_label("disc1", tmp_path / "label1.nrrd")
    told = []
    reader = InputReader(project, job_of(project, monkeypatch, iterations=2).round, lambda event, **f: told.append(f))
    plan = replace(reader.plan("cpu", 1 << 32, None), spacing_zyx=(5.0, 4.0, 4.0))
    reader.prepare(plan, lambda done, total: None)
    message = "case disc1: Disc is too small to be learnt at 4 x 4 x 5 mm, and left out here"
    assert [fields["message"] for fields in told] == [message]
