"""What a round costs on disk: told before it trains; and what older rounds can spare, once it has ended."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence

from metassl.data.plan import Plan
from metassl.data.streams import PreparedCase
from metassl.jobs.thinning import plan_thinning
from metassl.project.words import bytes_as_text
from metassl.project.words import count as counted
from metassl.training.job import Job

MAPS_BYTES = 0.35
"""For each voxel of an image, compressed: 0.3 for made-up CTs (Testing/benchmarks/big_images.jsonl)."""

WORTH_TELLING, SHARE_WORTH_TELLING = 100e6, 0.1
SAMPLE = 24


def tell_of_disk(job: Job, plan: Plan, cases: Sequence[PreparedCase]) -> None:
    """How much the maps of the cases that will be predicted take, where that is much; and whether there is room."""
    number = min(job.config.get("predict") or len(cases), len(cases))
    if not number:
        return
    sample = cases[:: max(1, len(cases) // SAMPLE)][:SAMPLE]
    finer = math.prod(plan.spacing_zyx) / math.prod(plan.source_spacing_zyx)
    voxels = finer * sum(case.image[0].size for case in sample) / len(sample)
    size, free = number * voxels * MAPS_BYTES, shutil.disk_usage(job.project.path).free
    if size < WORTH_TELLING and size < SHARE_WORTH_TELLING * free:
        return
    told = f"the maps of {counted(number, 'case')} will take about {bytes_as_text(int(size))} of the disk"
    left = f", where {bytes_as_text(free)} are free"
    remedy = ": `metassl clean` frees what can be made again, `--predict 20` predicts fewer" if size > free else ""
    job.warn(told + left + remedy)


def thin_after(job: Job) -> None:
    """Older rounds lose their maps where the project's rule says so, see `plan_thinning`."""
    if not job.project.settings.get("thin"):
        return
    plan = plan_thinning(job.project, cache=False)
    if plan.spare:
        plan.remove()
        job.warn(f"{bytes_as_text(plan.spare)} of older rounds were removed, as `metassl clean --always` has it")
