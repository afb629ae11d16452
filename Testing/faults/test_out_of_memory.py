"""The memory runs out: a round gives something up, says what, and ends with a model, or with one clear sentence."""

from __future__ import annotations

import dataclasses
import errno
import random

import numpy as np
import pytest
import torch
from faults import out_of_memory
from faults.killed_worker_cohort import ball_project
from faults.out_of_memory import PLAN, ladder, new_round, problem_of, rungs_of, work
from faults.out_of_memory_limit import steps_keep_at_most, use_up, windows_hold_at_most
from metassl.files import ImageError
from metassl.imaging import read_image, read_labels
from metassl.inference.model import TrainedModel
from metassl.inference.predict import predict_project
from metassl.inference.predictor import predict_image
from metassl.jobs import job_status
from metassl.networks.memory_ladder import is_out_of_memory

CPU = torch.device("cpu")


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads that wait for each other cost more than they save on such small patches."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def project(tmp_path):
    return ball_project(tmp_path / "project", tmp_path / "images")


@pytest.fixture(scope="module")
def rungs():
    return ladder(CPU)


def test_every_rung_needs_less_than_the_one_above(rungs):
    needed = [rung.needed for rung in rungs]
    assert needed == sorted(set(needed), reverse=True)
    assert [rung.message for rung in rungs[1:]] == ["batch 1 + 1", "patch 16 x 16 x 16", "gradient checkpointing"]


@pytest.mark.parametrize("down", [1, 3, 4])
def test_a_round_goes_down_the_ladder_as_far_as_it_must(project, rungs, down):
    ends = down == len(rungs)
    with steps_keep_at_most(0 if ends else rungs[down].needed):
        code = work(found := new_round(project))
    assert problem_of(found, [rung.message for rung in rungs[1 : down + 1]], ends) == ""
    assert code == (1 if ends else 0)


def test_calibration_and_prediction_take_smaller_windows(project):
    assert list(out_of_memory.windows_problems(project, 2, random.Random(0))) == ["", ""]


def test_a_prediction_in_smaller_windows_is_that_of_a_smaller_patch_and_its_end_is_one_sentence(project):
    plan = dataclasses.replace(PLAN, batch=(1, 1), patch_zyx=(48, 24, 24))
    work(found := new_round(project, plan=plan))
    assert job_status(found).state == "finished"
    with windows_hold_at_most(24**3):
        predict_project(project, ["ball2"], "cpu")
    segmentation, _ = read_labels(found.prediction("ball2").segmentation, "ball2")
    model = TrainedModel.load(found.model_path, CPU)
    model = dataclasses.replace(model, plan=dataclasses.replace(model.plan, patch_zyx=(24, 24, 24)))
    expected = predict_image(model, read_image(project.image_paths("ball2"), "ball2"), "ball2")
    assert np.array_equal(segmentation, expected.segmentation) and len(np.unique(segmentation)) == 2
    failed = {}
    with windows_hold_at_most(100):
        predict_project(project, ["ball2"], "cpu", failed=failed.__setitem__)
    assert list(failed) == ["ball2"] and failed["ball2"].startswith("case ball2: the memory is too small")
    with windows_hold_at_most(100), pytest.raises(ImageError, match="close other programs"):
        predict_project(project, ["ball2"], "cpu")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.8 GB)"),
        RuntimeError("could not create a primitive"),  # oneDNN under a limit of the system
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError("GET was unable to find an engine to execute this computation"),  # cuDNN, of small GPUs
    ],
)
def test_every_library_is_understood_when_it_says_that_memory_ran_out(error):
    assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(OSError(errno.ENOSPC, "No space left on device"))


def test_torch_itself_says_so_on_this_computer():
    with pytest.raises(RuntimeError) as caught:
        use_up(CPU)
    assert is_out_of_memory(caught.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_round_on_a_gpu_takes_mixed_precision_first(project):
    rungs = ladder(torch.device("cuda"))
    assert rungs[1].message.startswith("mixed precision") and rungs[-1].message == "training on the CPU"
    for down in (1, len(rungs) - 2):
        with steps_keep_at_most(rungs[down].needed):
            work(found := new_round(project, "cuda"))
        assert rungs_of(found) == [rung.message for rung in rungs[1 : down + 1]]
        assert job_status(found).state == "finished"
