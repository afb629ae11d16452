"""From the fingerprint to the plan, and the network that it describes."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from metassl.choices.quality import MEMORY
from metassl.data import budget
from metassl.data.orientation import thick_slices
from metassl.data.plan import MOST_COARSENED, MOST_SLICES, Plan, make_plan
from metassl.files.errors import ProjectError
from metassl.inference.sliding_window import predict_pair
from metassl.networks.unet import build_network

GIGABYTE = 10**9
MR = {"is_ct": False, "foreground": {"low": 3, "high": 90, "mean": 40, "std": 9}}
CT = {"is_ct": True, "foreground": {"low": -160, "high": 240, "mean": 60, "std": 50}}

# as in common data sets: (median shape, median spacing), both (z, y, x)
BRAIN_CROP = ((36, 50, 35), (1, 1, 1))
HEART_STACK = ((9, 240, 200), (10, 1.5625, 1.5625))
PROSTATE = ((20, 320, 320), (3.6, 0.62, 0.62))
HEAD = ((160, 240, 240), (1, 1, 1))
TORSO_CT = ((300, 512, 512), (1.5, 0.8, 0.8))
SLICES = ((1, 256, 256), (1, 0.5, 0.5))
TINY = ((3, 5, 4), (1, 1, 1))
ALL = {
    "brain crop": BRAIN_CROP,
    "heart stack": HEART_STACK,
    "prostate": PROSTATE,
    "head": HEAD,
    "torso": TORSO_CT,
    "slices": SLICES,
    "tiny": TINY,
}


def facts(kind, *channels, axes="patient", thinnest=None):
    shape, spacing = kind
    return {
        "thinnest_mm": thinnest,
        "axes": axes,
        "median_shape_zyx": list(shape),
        "median_spacing_zyx": list(spacing),
        "channels": list(channels or (MR,)),
    }


def make(kind, device="cpu", memory=16 * GIGABYTE, classes=3, channels=(), quality="fast", thinnest=None):
    """A plan of volumes."""
    return make_plan(facts(kind, *channels, thinnest=thinnest), classes, device, memory, quality, "3d")


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps", "cuda:1"])
@pytest.mark.parametrize("name", ALL)
def test_every_plan_keeps_its_own_rules(name, device):
    plan = make(ALL[name], device)
    limits = budget.BUDGETS[device.split(":")[0]]
    assert math.prod(plan.patch_zyx) <= max(limits.voxels, limits.stack_voxels)
    for edge, stride in zip(plan.patch_zyx, plan.total_stride, strict=True):
        assert edge % stride == 0
        assert stride == 1 or edge // stride >= 4
    left_out = 0 if plan.strides[0] == (1, 1, 1) else 1
    assert left_out <= limits.pools_first
    for level, filters in enumerate(plan.filters, start=left_out):
        assert filters == min(limits.first_filters * 2**level, limits.max_filters)
    assert len(plan.filters) >= 3
    assert 1 <= plan.batch[0] <= limits.max_images and 1 <= plan.batch[1] <= limits.max_images


def test_small_images_get_a_large_network_where_an_hour_is_given():
    quality = "best"
    small, large = make(BRAIN_CROP), make(BRAIN_CROP, quality=quality)
    assert small.strides[0] != (1, 1, 1) and large.strides[0] == (1, 1, 1), "a level at full resolution"
    assert large.filters == (16, *(2 * filters for filters in small.filters))
    assert (large.spacing_zyx, large.patch_zyx) == (small.spacing_zyx, small.patch_zyx)
    for other in (HEAD, TORSO_CT, HEART_STACK):
        assert make(other, quality=quality).filters == make(other).filters, "finer voxels come first"
    assert make(BRAIN_CROP, "cuda", quality=quality).filters == make(BRAIN_CROP, "cuda").filters, (
        "which is large as it is"
    )


@pytest.mark.parametrize("name", ALL)
def test_the_network_of_a_plan_gives_one_score_per_class_and_voxel(name):
    torch.manual_seed(0)
    plan = make(ALL[name], classes=4, channels=(MR, MR))
    edges = tuple(2 * stride if stride > 1 else 3 for stride in plan.total_stride)
    network = build_network(replace(plan, filters=tuple(2 for _ in plan.filters))).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 2, *edges)).shape == (1, 4, *edges)


def test_a_step_of_training_reaches_every_weight():
    torch.manual_seed(0)
    plan = make(HEART_STACK)
    network = build_network(replace(plan, filters=tuple(2 for _ in plan.filters)))
    shape = tuple(2 * stride for stride in plan.total_stride)
    network(torch.randn(2, 1, *shape)).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_a_small_image_is_taken_whole():
    plan = make(BRAIN_CROP)
    assert plan.patch_zyx == (40, 56, 40)
    assert plan.spacing_zyx == (1, 1, 1)
    assert set(plan.kernels) == {(3, 3, 3)}
    assert set(plan.strides) == {(2, 2, 2)}


def test_a_stack_of_thick_slices_is_pooled_in_the_plane_first():
    plan = make(HEART_STACK, "cuda")
    assert plan.is_stack
    assert plan.spacing_zyx == (10, 1.5625, 1.5625)
    # 10 / 1.5625 = 6.4: two halvings of the plane bring it to 6.25 mm, within twice 10 mm
    assert plan.kernels[:3] == ((1, 3, 3), (1, 3, 3), (3, 3, 3))
    assert plan.strides[:3] == ((1, 1, 1), (1, 2, 2), (1, 2, 2))


@pytest.mark.parametrize(
    ("shape", "spacing", "coarsest"),
    [
        (*HEART_STACK, 2.99),  # by then an image has 120 000 voxels
        (*PROSTATE, 3.6 / 3),  # any coarser, and the slices would not be thick
        ((24, 512, 512), (6, 0.45, 0.45), MOST_COARSENED * 0.45),
        ((20, 400, 400), (5, 1, 2.5), (5 / 3) ** 2 / 2.5),
        ((9, 400, 400), (0.05, 0.00123, 0.00123), MOST_COARSENED * 0.00123),
    ],
)
def test_a_cpu_sees_a_stack_on_a_coarser_plane_that_is_still_one(shape, spacing, coarsest):
    plan = make((shape, spacing))
    assert plan.is_stack and plan.source_spacing_zyx == spacing
    assert plan.spacing_zyx[0] == spacing[0]
    assert 0.98 * coarsest < min(plan.spacing_zyx) <= coarsest
    assert make((shape, spacing), "cuda").spacing_zyx == spacing


def test_a_cpu_sees_hearts_whole():
    plan = make(HEART_STACK)
    for axis, (voxels, mm) in enumerate(zip(*HEART_STACK, strict=True)):
        assert plan.patch_zyx[axis] * plan.spacing_zyx[axis] > 0.98 * voxels * mm


def test_what_need_not_be_coarsened_is_not():
    for kind in (((9, 100, 100), (10, 1.5625, 1.5625)), ((1, 512, 512), (1, 0.2, 0.2))):
        plan = make(kind)
        assert plan.spacing_zyx == plan.source_spacing_zyx == kind[1]


def test_a_distance_on_the_images_is_one_on_the_grid():
    plan = replace(make(HEART_STACK), spacing_zyx=(10, 3.125, 6.25))
    assert plan.on_grid(3) == (3, 2, 1) and plan.on_grid(2) == (2, 1, 1)


def test_a_network_for_single_slices_never_looks_across_them():
    plan = make(SLICES)
    assert plan.patch_zyx[0] == 1
    assert {kernel[0] for kernel in plan.kernels} == {1}
    assert {stride[0] for stride in plan.strides} == {1}


def test_ct_gets_the_window_of_its_structures_and_mr_a_score_per_case():
    plan = make(TORSO_CT, channels=(CT, MR))
    window = {"scheme": "ct_window", "low": -160, "high": 240, "mean": 60, "std": 50}
    assert [dict(scheme) for scheme in plan.intensity] == [window, {"scheme": "robust_zscore"}]
    assert plan.in_channels == 2


def test_a_gpu_gets_larger_patches_and_networks_than_a_cpu():
    cpu, gpu = make(HEAD, "cpu"), make(HEAD, "cuda", 80 * GIGABYTE)
    assert math.prod(gpu.patch_zyx) > 5 * math.prod(cpu.patch_zyx)
    assert gpu.filters[0] > cpu.filters[0]


def test_less_memory_means_a_smaller_patch():
    sizes = [math.prod(make(HEAD, "cuda", m * GIGABYTE).patch_zyx) for m in (48, 16, 8, 4, 2)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 4 * sizes[-1]


def test_small_patches_come_in_larger_batches_on_a_gpu():
    assert make(BRAIN_CROP, "cuda", 24 * GIGABYTE).batch > make(HEAD, "cuda", 24 * GIGABYTE).batch


def test_the_plan_fits_the_memory_by_its_own_estimate():
    for kind, memory in ((HEAD, 4), (HEAD, 24), (HEART_STACK, 6), (BRAIN_CROP, 2), (PROSTATE, 1)):
        for device in ("cpu", "cuda"):
            plan = make(kind, device, memory * GIGABYTE)
            per_voxel = budget.bytes_per_voxel(plan.filters[0], plan.precision)
            used = 2 * sum(plan.batch) * math.prod(plan.patch_zyx) / math.prod(plan.strides[0]) * per_voxel
            assert used <= 0.75 * memory * GIGABYTE, (kind, memory, device)


def test_the_memory_estimate_covers_what_training_keeps():
    for kind in (BRAIN_CROP, HEART_STACK):
        plan = make(kind, "cuda")
        plan = replace(plan, filters=tuple(f // plan.filters[0] * 4 for f in plan.filters))
        kept = {}

        def keep(tensor, kept=kept):
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        shape = tuple(min(edge, 64) for edge in plan.patch_zyx)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            scores = build_network(plan)(torch.zeros(1, 1, *shape))
        assert scores.requires_grad
        weights = sum(p.numel() * 4 for p in build_network(plan).parameters())
        measured = (sum(kept.values()) - weights) / math.prod(shape)
        assert 0.3 < measured / budget.bytes_per_voxel(4, "fp32") < 1


def test_huge_images_are_coarsened_on_a_cpu_but_never_on_a_large_gpu():
    cpu, gpu = make(TORSO_CT, "cpu"), make(TORSO_CT, "cuda", 80 * GIGABYTE)
    assert gpu.spacing_zyx == TORSO_CT[1]
    assert min(cpu.spacing_zyx) > 1 and cpu.source_spacing_zyx == TORSO_CT[1]
    assert "images: 0.8 x 0.8 x 1.5 mm" in cpu.describe()
    assert make(BRAIN_CROP).source_spacing_zyx == make(BRAIN_CROP).spacing_zyx


@pytest.mark.parametrize("kind", [TORSO_CT, HEAD])
def test_a_cpu_starts_coarse_with_patches_that_see_much_of_an_image(kind):
    plans = [make(kind, quality=quality) for quality in ("fast", "good", "best")]
    voxels = [math.prod(n * mm / s for n, mm, s in zip(*kind, plan.spacing_zyx, strict=True)) for plan in plans]
    assert voxels[0] <= 16 * budget.CPU.voxels < voxels[1] <= 48 * budget.CPU.voxels < voxels[2]
    assert len({plan.patch_zyx for plan in plans}) == 1, "what it costs to predict differs, not what a step does"
    assert "all need about the same memory" in MEMORY and "three fifths" in MEMORY and budget.MEMORY_SHARE == 3 / 5
    assert all(plan.has_network_of(plans[0]) for plan in plans), "a round goes on from the weights of a coarser one"
    assert [plan.quality for plan in plans] == ["fast", "good", "best"]
    assert (
        min(plans[0].patch_zyx) * plans[0].spacing_zyx[0] > 2 * min(plans[2].patch_zyx) * plans[2].spacing_zyx[0] - 20
    )


def test_the_thinnest_structure_is_not_lost_by_starting_coarse():
    thick, thin, thinner = (make(TORSO_CT, thinnest=mm).spacing_zyx for mm in (None, 10.0, 2.0))
    assert 10 / 4 * 0.98 < min(thin) <= 10 / 4 < min(thick)
    assert thinner == make(TORSO_CT, quality="best").spacing_zyx, "finer than that would take too many windows"


def test_quality_leaves_stacks_and_gpus_as_they_are():
    for kind, device in ((HEART_STACK, "cpu"), (TORSO_CT, "cuda"), (HEAD, "mps")):
        fast, best = (make(kind, device, quality=quality) for quality in ("fast", "best"))
        assert replace(fast, quality="best") == best


@pytest.mark.parametrize(
    ("gigabytes", "edge", "images"),
    [(8, 88, 1), (12, 104, 1), (24, 104, 2), (80, 128, 2)],
)
def test_a_gpu_plan_by_memory(gigabytes, edge, images, monkeypatch):
    """On a CT. The precision is that of cards since 2018."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    plan = make(TORSO_CT, "cuda", gigabytes * GIGABYTE)
    seen = sorted(round(edge * mm) for edge, mm in zip(plan.patch_zyx, plan.spacing_zyx, strict=True))
    assert (math.prod(plan.patch_zyx), plan.batch[0]) == (pytest.approx(edge**3, rel=0.25), images)
    assert seen[0] > 60 and plan.batch[0] == plan.batch[1]
    per_voxel = budget.bytes_per_voxel(plan.filters[0], plan.precision)
    assert budget.NETWORKS * sum(plan.batch) * math.prod(plan.patch_zyx) * per_voxel < 0.7 * gigabytes * GIGABYTE


def test_the_same_facts_give_the_same_plan():
    assert make(TORSO_CT, channels=(CT,)) == make(TORSO_CT, channels=(CT,))


def test_an_unknown_device_is_refused():
    with pytest.raises(ValueError, match="toaster"):
        make(HEAD, "toaster")


@pytest.mark.parametrize("name", ALL)
def test_a_plan_survives_json(name):
    plan = make(ALL[name], channels=(CT, MR))
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert Plan.from_json({"schema_version": 1, **plan.to_json()}) == plan


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("axes", "sideways"),
        ("spacing_zyx", [1, 0, 1]),
        ("spacing_zyx", [1, float("nan"), 1]),
        ("spacing_zyx", "1 1 1"),
        ("patch_zyx", [40, 57, 40]),
        ("patch_zyx", [40.5, 56, 40]),
        ("batch", [0, 2]),
        ("batch", 2),
        ("intensity", [{"scheme": "magic"}]),
        ("intensity", [{"scheme": "ct_window", "low": 1}]),
        ("intensity", []),
        ("filters", [16, 32, 64, 64]),
        ("kernels", [[3, 3, 3]] * 2 + [[5, 3, 3]]),
        ("strides", [[4, 2, 2]] * 3),
        ("in_channels", 2),
        ("classes", 1),
        ("classes", True),
        ("precision", "fp8"),
        ("precision", None),
        ("quality", "perfect"),
    ],
)
def test_a_damaged_plan_is_refused_by_name(field, value):
    content = {**make(BRAIN_CROP).to_json(), field: value}
    with pytest.raises(ProjectError, match="the plan is damaged: .*") as refused:
        Plan.from_json(content)
    assert "\n" not in str(refused.value)


def test_a_network_suits_devices_of_the_kind_that_it_was_sized_for():
    small, large = make(HEAD), make(HEAD, "cuda:1")
    assert (small.device, large.device) == ("cpu", "cuda")
    assert small.suits("cpu", "fast") and large.suits("cuda", "fast") and large.suits("mps", "fast")
    assert not small.suits("cuda", "fast") and not small.suits("mps", "fast") and not large.suits("cpu", "fast")
    assert not small.suits("cpu", "good"), "the grid is another"
    early = Plan.from_json({name: value for name, value in large.to_json().items() if name != "device"})
    assert early == replace(large, device="") and early.suits("cpu", "fast") and early.suits("cuda", "fast")


def test_a_plan_that_lacks_a_field_says_which():
    content = make(BRAIN_CROP).to_json()
    del content["strides"]
    with pytest.raises(ProjectError, match="lacks strides"):
        Plan.from_json(content)


def test_the_description_is_one_line_in_the_order_that_viewers_show():
    line = make(HEART_STACK, "cuda", channels=(CT,)).describe()
    assert "1.56 x 1.56 x 10 mm" in line
    assert "CT window -160 to 240" in line
    assert "flat" in line
    assert "\n" not in line


def test_cpus_and_apples_train_in_full_numbers_and_a_gpu_in_half():
    assert budget.choose_precision("cuda") in ("bf16", "fp16")
    assert budget.choose_precision("cpu") == budget.choose_precision("mps") == "fp32"


def test_a_cpu_convolves_at_half_the_resolution_and_brings_the_logits_back_without_a_comb():
    plan = make(BRAIN_CROP, "cpu")
    network, seen = build_network(plan).eval(), []
    for module in network.modules():
        if isinstance(module, (torch.nn.Conv3d, torch.nn.ConvTranspose3d)):
            module.register_forward_hook(lambda _module, _inputs, out: seen.append(tuple(out.shape[2:])))
    with torch.no_grad():
        logits = network(torch.zeros(1, 1, *plan.patch_zyx))
    assert logits.shape[2:] == plan.patch_zyx
    assert plan.patch_zyx not in seen
    even = network.output_block(torch.ones(1, plan.filters[0], 8, 8, 8))
    assert torch.allclose(even, even[..., :1, :1, :1].expand_as(even), atol=1e-6)
    assert make(BRAIN_CROP, "cuda").strides[0] == (1, 1, 1)


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
@pytest.mark.parametrize("name", ALL)
def test_a_plan_of_slices_never_looks_across_them(name, device):
    plan = make_plan(facts(ALL[name]), 3, device, 16 * GIGABYTE, kind="2d")
    assert plan.is_flat and plan.is_of("2d") and plan.is_of("auto") and not plan.is_of("3d")
    assert {kernel[0] for kernel in plan.kernels} == {1} and plan.total_stride[0] == 1
    assert plan.spacing_zyx[0] == ALL[name][1][0]  # slices stay where they are
    assert math.prod(plan.patch_zyx) <= budget.BUDGETS[device].slice_voxels
    assert plan.batch[0] == plan.batch[1] <= MOST_SLICES
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
@pytest.mark.parametrize("name", ALL)
def test_thick_slices_are_seen_one_by_one_on_a_cpu_where_nobody_says_otherwise(name, device):
    plan, volumes = make_plan(facts(ALL[name]), 3, device, 16 * GIGABYTE), make(ALL[name], device)
    thick = thick_slices(ALL[name][1])
    if device == "cpu" and thick:
        assert plan == make_plan(facts(ALL[name]), 3, device, 16 * GIGABYTE, kind="2d") != volumes
    else:
        assert plan == volumes


def test_slices_come_in_as_large_a_batch_as_the_step_of_a_stack():
    stack, slices = make(HEART_STACK), make_plan(facts(HEART_STACK), 3, "cpu", 16 * GIGABYTE, kind="2d")
    ratio = math.prod(slices.patch_zyx) * slices.batch[0] / math.prod(stack.patch_zyx)
    assert 0.6 < ratio < 1.5


def test_a_slice_is_predicted_the_same_alone_and_in_its_stack():
    torch.manual_seed(0)
    plan = replace(make_plan(facts(HEART_STACK), 3, "cpu", 16 * GIGABYTE, kind="2d"), filters=(2, 2, 2, 2, 2))
    pair = [build_network(plan).eval() for _ in range(2)]
    image = np.random.default_rng(0).standard_normal((1, 4, 128, 128)).astype(np.float32)
    whole = predict_pair(pair, image, plan, torch.device("cpu"))
    alone = predict_pair(pair, image[:, 2:3], plan, torch.device("cpu"))
    assert np.abs(whole[:, :, 2:3] - alone).max() < 1e-3
