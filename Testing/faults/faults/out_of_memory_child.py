"""Workers that get only so much more memory than they have when a stage begins: a true limit of the system.

    python -m faults.out_of_memory_child PROJECT

For each line "ROUND KILOBYTES STAGE" on its input it does the job of that round, in a fork, and prints the exit code.
STAGE: "training", "calibrating" or "predicting". Linux only: there RLIMIT_DATA counts all that a process allocates.
"""

from __future__ import annotations

import os
import resource
import sys
import traceback
from pathlib import Path

import torch
from metassl.data.network import build_network
from metassl.data.plan import Plan
from metassl.project import read_json
from metassl.training import worker

METHODS = {"training": "_leave_time_to_train", "calibrating": "_calibrated", "predicting": "_predict"}


def data_bytes() -> int:
    """What RLIMIT_DATA counts of this process."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData"))


def limit_before(stage: str, room: int) -> None:
    """Let the process have `room` bytes more from the begin of `stage` on."""
    method = getattr(worker.Job, METHODS[stage])

    def limited(job: worker.Job, *arguments):
        setattr(worker.Job, METHODS[stage], method)
        most = data_bytes() + room
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        return method(job, *arguments)

    setattr(worker.Job, METHODS[stage], limited)


def warm_up(plan: Plan) -> None:
    """What libraries load and keep when they first work is not to count."""
    network = build_network(plan)
    network(torch.zeros(1, plan.in_channels, *(2 * stride for stride in plan.total_stride))).sum().backward()


def work(project: str, number: str, room: int, stage: str) -> None:
    """The job of a round; its words go to the round's log."""
    log = os.open(f"{project}/rounds/{int(number):04d}/log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = 99
    try:
        warm_up(Plan.from_json(read_json(Path(project) / "rounds" / f"{int(number):04d}" / "plan.json", "the plan")))
        limit_before(stage, room)
        code = worker.main([project, number])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    for line in sys.stdin:
        number, kilobytes, stage = line.split()
        child = os.fork()
        if child == 0:
            work(sys.argv[1], number, int(kilobytes) << 10, stage)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
