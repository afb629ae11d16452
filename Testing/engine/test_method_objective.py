"""The whole objective against a slow reference written straight from METHOD.md, in float64."""

from __future__ import annotations

import pytest
import torch
from metassl.method.metassl_loss import MetaSSLLoss, consistency_ramp
from metassl.method.presets import PRESETS, Preset
from metassl.method.supervised import supervised_loss

SHAPES = {"2D": (9, 11), "3D": (6, 5, 7)}


def make_batch(classes=5, shape=SHAPES["3D"], seed=0, ignored=0.0, batch=4, labelled=2):
    """Two correlated predictions and a noisy annotation, part of it ignored."""
    random = torch.Generator().manual_seed(seed)
    first = 2 * torch.randn(batch, classes, *shape, generator=random)
    second = first + torch.randn(first.shape, generator=random)
    noisy = first[:labelled] + 2 * torch.randn(labelled, classes, *shape, generator=random)
    annotation = noisy.argmax(1).to(torch.uint8)
    annotation[torch.rand(annotation.shape, generator=random) < ignored] = 255
    return first, second, annotation


def voxels(logits: torch.Tensor) -> torch.Tensor:
    """(B, C, ...) to (voxels, C)."""
    return logits.movedim(1, -1).reshape(-1, logits.shape[1])


def thresholds_after(labels, confidence, preset: Preset, classes: int) -> list[float]:
    taus = []
    for k in range(classes):
        chosen = confidence[labels == k]
        mean = float(chosen.sum()) / (len(chosen) + 1)
        enough = len(chosen) >= preset.class_n_min
        tau = preset.alpha * mean + (1 - preset.alpha) * preset.initial if enough else preset.initial
        floor = 1 / classes if preset.floor is None else preset.floor
        taus.append(min(max(tau, floor), preset.cap))
    return taus


def region_sum(z, target, labels, agree, confident, weights, preset: Preset, classes: int):
    """sum_r w_r * term_r for voxels (N, C); returns the loss."""
    ce = torch.logsumexp(z, 1) - z[torch.arange(len(z)), target]
    unanimous = agree & confident
    if preset.uc_split == "none":
        parts = [unanimous]
    elif preset.uc_split == "class":
        parts = [unanimous & (labels == k) for k in range(classes)]
    elif preset.uc_split == "background_twice":
        parts = [unanimous & (labels == 0)] * 2
    else:
        parts = [unanimous & (labels == 0), unanimous & (labels != 0)]
    terms = [(weights.uc, part) for part in parts]
    terms += [(weights.us, agree & ~confident), (weights.dc, ~agree & confident)]
    terms += [(weights.ds, ~agree & ~confident)]
    terms = [(w, mask) for w, mask in terms if int(mask.sum()) >= preset.region_n_min]
    if preset.normalisation == "global":
        norm = sum(w * int(mask.sum()) for w, mask in terms)
        return sum(w * ce[mask].sum() for w, mask in terms) / max(norm, 1e-12)
    return sum(w * ce[mask].sum() / (int(mask.sum()) + preset.count_offset) for w, mask in terms)


def supervised_term(z, y, classes: int):
    cross_entropy = torch.nn.functional.cross_entropy(z, y)
    p, truth = z.softmax(1), torch.nn.functional.one_hot(y, classes)
    dice = 0
    for k in range(classes):
        a, b = p[:, k], truth[:, k]
        dice = dice + 1 - (2 * (a * b).sum() + 1e-5) / ((a * a).sum() + (b * b).sum() + 1e-5)
    return 0.5 * (cross_entropy + dice / classes)


def reference_objective(first, second, annotation, preset: Preset, weight: float):
    """J of one step from the initial thresholds; ignored voxels are cut out at the very start."""
    classes, number = first.shape[1], len(annotation)
    y = annotation.reshape(-1).long()
    known = y != 255
    y = y[known]
    labelled = [voxels(z[:number])[known] for z in (first, second)]
    unlabelled = [voxels(z[number:]) for z in (first, second)]
    both = preset.framework != "mt" or preset.teacher_terms == "add"
    total = 0
    for half, logits in (("l", labelled), ("u", unlabelled)):
        guesses = [z.detach().softmax(1).max(1) for z in logits]
        taus = [thresholds_after(k, c, preset, classes) for c, k in guesses]
        agree = guesses[0].indices == guesses[1].indices
        for n in (0, 1):  # the network whose confidence counts
            supervised = n if half == "l" else 1 - n
            if supervised == 1 and not both:
                continue
            c, k = guesses[n]
            confident = c > torch.tensor(taus[n], dtype=c.dtype)[k]
            if half == "l":
                against = k == y if preset.labelled_reference == "annotation" else agree
                args = (y, k, against, confident, preset.weights.labelled)
                total = total + supervised_term(logits[n], y, classes)
            else:
                args = (k, k, agree, confident, preset.weights.unlabelled)
            total = total + weight * region_sum(logits[supervised], *args, preset, classes)
    return total


VARIANTS = {
    **{name: (name, {}) for name in PRESETS},
    "metassl_cps": ("metassl", {"framework": "cps"}),
    "metassl_peer": ("metassl", {"labelled_reference": "peer", "framework": "cct"}),
    "metassl_region": ("metassl", {"normalisation": "region", "uc_split": "class"}),
    "metassl_sparse": ("metassl", {"normalisation": "region", "region_n_min": 40}),
    "annotation_2d": ("official_cps_2d", {"labelled_reference": "annotation"}),
    "many_needed": ("official_cps_2d", {"class_n_min": 45, "alpha": 0.2, "region_n_min": 40}),
}


@pytest.mark.parametrize("ignored", [0.0, 0.4], ids=["dense", "partial"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_choice_of_options_follows_the_method(variant, shape, ignored):
    name, options = VARIANTS[variant]
    loss = MetaSSLLoss(5, name, **options)
    first, second, annotation = make_batch(shape=shape, ignored=ignored)
    mine = [z.clone().requires_grad_() for z in (first, second)]
    theirs = [z.double().requires_grad_() for z in (first, second)]
    if loss.preset.framework == "mt":
        theirs[1] = theirs[1].detach()
    output = loss(*mine, annotation, 2, 12_000)
    output.total.backward()
    expected = reference_objective(*theirs, annotation, loss.preset, output.consistency)
    expected.backward()
    torch.testing.assert_close(output.total.double(), expected, rtol=2e-6, atol=2e-6)
    for a, b in zip(mine, theirs, strict=True):
        if b.grad is None:
            assert a.grad is None
        else:
            torch.testing.assert_close(a.grad.double(), b.grad, rtol=2e-6, atol=2e-6)


def special_logits(kind: str, shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    first, second = (torch.randn(4, 4, *shape, generator=random) for _ in range(2))
    if kind == "uniform":
        return torch.zeros_like(first), torch.zeros_like(second)
    if kind == "all_agree":
        return first, 3 * first
    if kind == "all_disagree":
        return first, first.roll(1, dims=1)
    if kind == "class_absent":
        return first - torch.tensor([0, 0, 0, 30.0]).view(1, 4, 1, 1), second
    return tuple(40.0 * torch.randint(-1, 2, first.shape, generator=random) for _ in range(2))


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("kind", ["uniform", "all_agree", "all_disagree", "class_absent", "extreme"])
def test_special_logits_follow_the_method_too(kind, name):
    first, second = special_logits(kind, (5, 6))
    annotation = first[:2].roll(1, dims=2).argmax(1).to(torch.uint8)
    mine, theirs = first.clone().requires_grad_(), first.double().requires_grad_()
    loss = MetaSSLLoss(4, name)
    output = loss(mine, second, annotation, 2, 22_500)
    output.total.backward()
    expected = reference_objective(theirs, second.double(), annotation, loss.preset, output.consistency)
    expected.backward()
    torch.testing.assert_close(output.total.double(), expected, rtol=2e-6, atol=2e-6)
    torch.testing.assert_close(mine.grad.double(), theirs.grad, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("classes", [2, 3, 20])
def test_any_number_of_classes_works(classes):
    loss = MetaSSLLoss(classes, "metassl", framework="cps", class_n_min=1)
    first, second, annotation = make_batch(classes=classes)
    output = loss(first, second, annotation, 2, 100)
    expected = reference_objective(first.double(), second.double(), annotation, loss.preset, output.consistency)
    torch.testing.assert_close(output.total.double(), expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", PRESETS)
def test_ignored_voxels_change_nothing(name):
    first, second, annotation = make_batch(ignored=0.5)
    unknown = (annotation == 255).unsqueeze(1)
    noise = 5 * torch.randn(2, 5, *SHAPES["3D"], generator=torch.Generator().manual_seed(1))
    results = []
    for change in (0.0, 1.0):
        logits = []
        for z in (first, second):
            z = z.clone()
            z[:2] += change * unknown * noise
            logits.append(z.requires_grad_())
        loss = MetaSSLLoss(5, name)
        output = loss(*logits, annotation, 2, 12_000)
        output.total.backward()
        assert not logits[0].grad[:2][unknown.expand(-1, 5, -1, -1, -1)].any()
        results.append((output, logits, loss.thresholds.state))
    (output, logits, state), (changed, changed_logits, changed_state) = results
    assert torch.equal(output.total, changed.total)
    assert torch.equal(logits[0].grad, changed_logits[0].grad)
    assert torch.equal(state, changed_state)
    assert output.labelled_region_fractions() == changed.labelled_region_fractions()
    assert output.log() == changed.log()


def test_an_unlabelled_voxel_can_be_ignored_too():
    first, second, annotation = make_batch()
    valid = torch.ones(2, *SHAPES["3D"], dtype=torch.bool)
    valid[:, :3] = False
    cropped = [torch.cat([z[:2], z[2:]])[:, :, 3:] for z in (first, second)]
    masked = MetaSSLLoss(5, "metassl", framework="cps", class_n_min=1)
    output = masked(first, second, annotation, 2, 100, unlabelled_valid=valid)
    plain = MetaSSLLoss(5, "metassl", framework="cps", class_n_min=1)
    expected = plain(*cropped, annotation[:, 3:], 2, 100)
    for direction, terms in output.unlabelled.items():
        torch.testing.assert_close(terms.value, expected.unlabelled[direction].value)
    torch.testing.assert_close(masked.thresholds.state[1], plain.thresholds.state[1])


def test_a_half_batch_without_any_annotation_gives_no_loss_and_no_gradient():
    first, second, annotation = make_batch()
    logits = first.clone().requires_grad_()
    output = MetaSSLLoss(5)(logits, second, torch.full_like(annotation, 255), 2, 100)
    output.total.backward()
    assert output.supervised[1].item() == output.labelled[1].value.item() == 0.0
    assert torch.isfinite(output.total) and not logits.grad[:2].any() and logits.grad[2:].any()


@pytest.mark.parametrize("name", ["metassl", "official_cps_3d"])
def test_autocast_to_bfloat16_gives_the_float32_loss(name):
    first, second, annotation = make_batch()
    halves = [z.to(torch.bfloat16) for z in (first, second)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = MetaSSLLoss(5, name)(*halves, annotation, 2, 100)
        supervised = supervised_loss(halves[0][:2], annotation)
    expected = MetaSSLLoss(5, name)(*[z.float() for z in halves], annotation, 2, 100)
    assert output.total.dtype == supervised.dtype == torch.float32
    assert torch.equal(output.total, expected.total)
    assert torch.equal(supervised, expected.supervised[1])


def test_a_network_can_be_trained_through_autocast():
    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, 5, 3, padding=1)
    _, second, annotation = make_batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(torch.randn(4, 1, *SHAPES["3D"]))
        assert logits.dtype == torch.bfloat16
        MetaSSLLoss(5)(logits, second, annotation, 2, 100).total.backward()
    assert network.weight.grad.dtype == torch.float32 and network.weight.grad.abs().max() > 0


def test_thresholds_are_saved_and_a_resumed_loss_continues_exactly():
    batches = [make_batch(seed=seed) for seed in range(4)]
    straight = MetaSSLLoss(5, "official_cps_2d")
    totals = [straight(*batch, 2, step).total for step, batch in enumerate(batches)]
    stopped = MetaSSLLoss(5, "official_cps_2d")
    for step in (0, 1):
        stopped(*batches[step], 2, step)
    resumed = MetaSSLLoss(5, "official_cps_2d")
    resumed.load_state_dict(stopped.state_dict())
    for step in (2, 3):
        assert torch.equal(resumed(*batches[step], 2, step).total, totals[step])
    assert list(straight.state_dict()) == ["thresholds.state"]


def test_evaluation_mode_reads_the_thresholds_and_keeps_them():
    loss = MetaSSLLoss(5).eval()
    before = loss.thresholds.state.clone()
    loss(*make_batch(), 2, 0)
    assert torch.equal(loss.thresholds.state, before)


def test_the_teacher_may_skip_the_labelled_half():
    first, second, annotation = make_batch()
    loss = MetaSSLLoss(5, "metassl")
    assert not loss.needs_teacher_on_labelled
    short = loss(first, second[2:], annotation, 2, 100)
    assert torch.equal(short.total, MetaSSLLoss(5)(first, second, annotation, 2, 100).total)
    peer = MetaSSLLoss(5, "metassl", labelled_reference="peer")
    assert peer.needs_teacher_on_labelled
    with pytest.raises(ValueError, match="second logits hold 2 images, the first 4"):
        peer(first, second[2:], annotation, 2, 100)


def test_halves_may_differ_in_size():
    first, second, annotation = make_batch(batch=5, labelled=1)
    loss = MetaSSLLoss(5, "official_cps_2d")
    output = loss(first, second, annotation, 1, 100)
    expected = reference_objective(first.double(), second.double(), annotation, loss.preset, output.consistency)
    torch.testing.assert_close(output.total.double(), expected, rtol=2e-6, atol=2e-6)


def test_the_partial_losses_add_up_to_the_total():
    for name in PRESETS:
        output = MetaSSLLoss(5, name)(*make_batch(), 2, 20_000)
        networks, directions = output.added
        keys = [f"labelled/{n}/" for n in networks]
        keys += [f"unlabelled/{a}<-{b}/" for a, b in directions]
        partials = output.partials()
        regions = sum(v for k, v in partials.items() if k.startswith(tuple(keys)))
        total = sum(output.supervised[n] for n in networks) + output.consistency * regions
        torch.testing.assert_close(total, output.total.detach())


def test_the_log_counts_regions_and_accuracy():
    first, second, annotation = make_batch(ignored=0.3)
    output = MetaSSLLoss(5, "metassl", framework="cps")(first, second, annotation, 2, 100)
    fractions = output.region_fractions()
    assert list(fractions) == ["UC", "US", "DC", "DS"]
    assert sum(fractions.values()) == pytest.approx(1)
    agreement = (first[2:].argmax(1) == second[2:].argmax(1)).float().mean()
    assert fractions["UC"] + fractions["US"] == pytest.approx(float(agreement))
    known = annotation != 255
    right = [z[:2].argmax(1)[known] == annotation[known] for z in (first, second)]
    log = output.log()
    assert log["accuracy"] == pytest.approx(float(torch.stack(right).float().mean()))
    assert log["total"] == pytest.approx(float(output.total))
    labelled = output.labelled_region_fractions()
    assert labelled["UC"] + labelled["US"] == pytest.approx(log["accuracy"])


def test_the_consistency_can_be_given():
    loss = MetaSSLLoss(5)
    output = loss(*make_batch(), 2, 0, consistency=0.0)
    assert torch.equal(output.total.detach(), output.supervised[1])
    assert loss.consistency_at(0) == consistency_ramp(0, 0.5, 30_000, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_labelled": 4}, "4 labelled images in a batch of 4"),
        ({"logits2": torch.zeros(4, 5, 6, 5, 6)}, "logits of shapes"),
        ({"annotation": torch.zeros(2, 6, 5, 6)}, "an annotation of shape"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(arguments, message):
    first, second, annotation = make_batch()
    call = {"logits1": first, "logits2": second, "annotation": annotation, "num_labelled": 2}
    with pytest.raises(ValueError, match=message):
        MetaSSLLoss(5)(**(call | arguments), iteration=0)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("framework", "fixmatch"),
        ("labelled_reference", "both"),
        ("uc_split", "thirds"),
    ],
)
def test_unknown_options_are_refused(option, value):
    with pytest.raises(ValueError, match=value):
        MetaSSLLoss(5, "metassl", **{option: value})


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(ValueError, match="official_mt_3d"):
        MetaSSLLoss(5, "official_mt_4d")
