"""What runs in a job of Slurm: the worker, and what to do when Slurm wants the node back.

python -m metassl.machines.slurm.task PROJECT ROUND           trains
python -m metassl.machines.slurm.task PROJECT ROUND SHARE     predicts with the other tasks of an array

Slurm sends SIGUSR1 before the time is up, and SIGTERM when a job that comes first needs the node, or somebody cancels.
Either way the worker saves a checkpoint; unless it was cancelled or stopped, the job is then put back into the queue.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from metassl.jobs.events import Event, EventReader
from metassl.jobs.liveness import last_status
from metassl.jobs.record import JobRecord
from metassl.project.rounds import Round, round_path

from .answers import ASK, of_queue

AGAIN_S, TORCHRUN = 5.0, "torch.distributed.run"
NO_PROGRESS = "had made no step by the time that Slurm wanted the node back: give it more --time"


def main(arguments: list[str]) -> int:
    asked: list[int] = []
    for name in ("SIGUSR1", "SIGTERM"):  # before the worker, which would go on alone
        signal.signal(getattr(signal, name), lambda received, _frame: asked.append(received))
    if len(arguments) > 2:
        return predict(arguments, asked)
    project, number = Path(arguments[0]), int(arguments[1])
    found = Round(round_path(project / "rounds", number))
    restarts = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    if restarts and last_status(found).state == "finished":  # in a time of grace, before its node was taken
        return 0
    history = EventReader(found.events_path)
    history.skip_middle(0)
    command = worker_command()
    worker = subprocess.Popen([*command, str(project), str(number)])
    code = _wait(worker, asked, again_s=AGAIN_S if TORCHRUN not in command else float("inf"))
    news = history.read_new()
    if asked and not any(event.event in ("paused", "failed", "finished") for event in news):
        if asked[0] != signal.SIGTERM and not _made_progress(news) and restarts:
            _say_why(found, NO_PROGRESS)
            return 1
        return requeue()
    return code


def predict(arguments: list[str], asked: list[int]) -> int:
    """Predict, and come back where Slurm has wanted the node."""
    task = os.environ.get("SLURM_ARRAY_TASK_ID", "0")
    worker = subprocess.Popen([sys.executable, "-m", "metassl.inference.shared", *arguments, task])
    code = _wait(worker, asked)
    return requeue() if asked and code else code


def worker_command() -> list[str]:
    """One process, or as many as there are GPUs: torch's own launcher has them find each other."""
    module = "metassl.training.worker"
    processes = len([gpu for gpu in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu])
    processes = int(os.environ.get("METASSL_PROCESSES") or processes)
    if processes < 2:
        return [sys.executable, "-m", module]
    torchrun = [sys.executable, "-m", TORCHRUN, "--standalone", f"--nproc-per-node={processes}"]
    return [*torchrun, "-m", module]


def _wait(worker: subprocess.Popen[bytes], asked: list[int], again_s: float = AGAIN_S) -> int:
    told = float("-inf")
    while True:
        try:
            return worker.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            if asked and time.monotonic() - told > again_s:  # again, as it may heed nothing yet
                told = time.monotonic()
                worker.send_signal(signal.SIGTERM)


def requeue() -> int:
    """Put this job back into the queue, unless somebody has cancelled it; the exit code."""
    job = os.environ["SLURM_JOB_ID"]
    done = subprocess.run([*ASK, job], capture_output=True, text=True)
    answer = of_queue(done.stdout)
    if done.stdout.startswith(("CANCELLED", "COMPLETING")) or (answer and answer.state == "ended"):
        return 0
    done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True)
    if done.returncode:
        print(f"Slurm did not take the job back: {done.stderr.strip()}", file=sys.stderr)
    return done.returncode


def _made_progress(events: list[Event]) -> bool:
    """Whether anything was done that a next start does not do again."""
    begun = next((event.resumed_from for event in events if event.event == "started"), None) or 0
    steps = [event.step or 0 for event in events if event.event in ("checkpoint", "requeued")]
    return max(steps, default=0) > begun or any(event.event == "predicted" for event in events)


def _say_why(found: Round, why: str) -> None:
    record = JobRecord.read(found.job_path)
    if record is not None and record.job == os.environ.get("METASSL_JOB"):
        record.ended = why
        record.write(found.job_path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
