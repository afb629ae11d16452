"""Do a thousand tasks that share ten thousand cases through a folder lose one, or do one twice?

    python Testing/benchmarks/shared_cases.py [--cases 10000] [--tasks 1000] [--at-once 32] [--without-slurm]

An array of a real Slurm on the loopback (see Testing/slurm), whose tasks sleep for a moment where a case would be
predicted: it is the claims that are measured (metassl/jobs/claims.py). A task leaves after a fifth more cases than its
share, so that all have work, and one in thirty kills itself in the middle of a case. What one of the last leaves so is
done by one more, as by `metassl predict` called again. Writes shared_cases.json beside it. With --without-slurm as many
processes at once, for where there is none.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENGINE = HERE.parents[1] / "MetaSSLSlicer"
LEASE_S, CASE_S = 30.0, 0.02
ONE_IN = 30

TASK = f"""
import importlib.util, json, os, random, signal, sys, time
sys.path.insert(0, {str(ENGINE)!r})
spec = importlib.util.spec_from_file_location("claims", {str(ENGINE / "metassl/jobs/claims.py")!r})
claims_file = importlib.util.module_from_spec(spec)
sys.modules["claims"] = claims_file
spec.loader.exec_module(claims_file)
folder, cases, tasks = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
task = int(os.environ["SLURM_ARRAY_TASK_ID"])
restarts = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
dies = task % {ONE_IN} == 7 and not restarts
names = [f"c{{number:05d}}" for number in range(cases)]
most = max(5, -(-6 * cases // (5 * tasks)))
begin, spent, count = time.time(), 0.0, 0
with claims_file.Claims(folder + "/claims", names, f"task {{task}}", lease_s={LEASE_S}) as claims:
    asked = time.perf_counter()
    for case in claims.take(cases * task // tasks):
        spent += time.perf_counter() - asked
        time.sleep({CASE_S})
        if dies and count == 3:
            open(f"{{folder}}/died/{{case}}.{{task}}", "x").close()
            os.kill(os.getpid(), signal.SIGKILL)
        open(f"{{folder}}/did/{{case}}.{{task}}", "x").close()
        count += 1
        asked = time.perf_counter()
        claims.done()
        if count == most:
            break
    spent += time.perf_counter() - asked
    told = {{"calls": dict(claims.calls), "cases": count, "claims_s": spent, "task_s": time.time() - begin}}
with open(f"{{folder}}/told/{{task}}.json", "w", encoding="utf-8") as stream:
    json.dump(told, stream)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--without-slurm", action="store_true")
    parser.add_argument("--minutes", type=float, default=20.0, help="give up after so many")
    parser.add_argument("--out", type=Path, default=HERE / "shared_cases.json")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shared-cases-") as temporary:
        folder = Path(temporary)
        for name in ("claims", "did", "died", "told"):
            (folder / name).mkdir()
        (folder / "task.py").write_text(TASK, encoding="utf-8")
        begin = time.monotonic()
        run = by_processes if told.without_slurm else by_slurm
        with run(folder, told) as ended:
            while not ended() and time.monotonic() - begin < 60 * told.minutes:
                time.sleep(1.0)
        left = told.cases - len(list((folder / "did").iterdir()))
        if left:
            time.sleep(LEASE_S)
            one_more = [sys.executable, "-S", folder / "task.py", folder, told.cases, max(told.tasks // 100, 1)]
            subprocess.run([*map(str, one_more)], env={"SLURM_ARRAY_TASK_ID": str(told.tasks)}, check=True)
        result = {"tasks": told.tasks, "at_once": told.at_once, "slurm": not told.without_slurm}
        result["left_for_a_second_call"] = left
        result.update(found(folder, told.cases, time.monotonic() - begin))
    told.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    return 0 if result["lost"] == result["twice"] == 0 else 1


@contextmanager
def by_slurm(folder: Path, told: argparse.Namespace) -> Iterator:
    sys.path.insert(0, str(HERE.parent / "slurm"))
    from loopback import LoopbackSlurm

    words = [sys.executable, "-S", folder / "task.py", folder, told.cases, told.tasks]
    command = " ".join(map(str, words))
    with LoopbackSlurm(folder / "slurm", cpus=told.at_once // 2) as slurm:
        array = f"--array=0-{told.tasks - 1}"
        job = slurm.run("sbatch", "--parsable", "--requeue", array, "--output=/dev/null", "--wrap", command).strip()
        if not job:
            raise SystemExit("Slurm took no job")
        yield lambda: slurm.run("squeue", "-o", "%i", "-j", job, "-t", "PD,R,CG").split() == ["JOBID"]  # its header


@contextmanager
def by_processes(folder: Path, told: argparse.Namespace) -> Iterator:
    waiting, running = list(range(told.tasks)), []

    def ended() -> bool:
        running[:] = [process for process in running if process.poll() is None]
        while waiting and len(running) < told.at_once:
            words = [sys.executable, "-S", folder / "task.py", folder, told.cases, told.tasks]
            environment = {"SLURM_ARRAY_TASK_ID": str(waiting.pop(0))}
            running.append(subprocess.Popen([*map(str, words)], env=environment))
        return not waiting and not running

    yield ended


def found(folder: Path, cases: int, seconds: float) -> dict:
    """What came of it, and what was asked of the file system."""
    did = Counter(path.name.rpartition(".")[0] for path in (folder / "did").iterdir())
    told = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "told").iterdir()]
    calls: Counter[str] = Counter()
    for each in told:
        calls.update(each["calls"])
    return {
        "cases": cases,
        "done": len(list((folder / "claims").glob("*.done"))),
        "lost": cases - len(did),
        "twice": sum(count > 1 for count in did.values()),
        "tasks_killed_at_work": len(list((folder / "died").iterdir())),
        "tasks_that_ended": len(told),
        "minutes": round(seconds / 60, 1),
        "calls": dict(sorted(calls.items())),
        "calls_per_case": round(calls.total() / cases, 2),
        "claims_ms_per_case": round(1000 * sum(each["claims_s"] for each in told) / cases, 2),
    }


if __name__ == "__main__":
    sys.exit(main())
