"""A real Slurm on the loopback: two nodes of one CPU, in a folder of its own, started here and stopped by its pids."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
CONF = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmUser={user}
SlurmdUser={user}
ReturnToService=2
SlurmdParameters=config_overrides
SlurmdTimeout=10
KillWait=10
MinJobAge={min_job_age}
SchedulerParameters=sched_interval=2,batch_sched_delay=1,defer_batch,max_array_tasks=2000
MaxArraySize=2001
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{ports[1]}-{ports[2]}] CPUs={cpus} RealMemory=4000
PartitionName=p Nodes=n[1-2] Default=YES State=UP MaxTime=60 PriorityTier=1 GraceTime={grace}
PartitionName=urgent Nodes=n[1-2] State=UP MaxTime=60 PriorityTier=9 PreemptMode=OFF
"""
PATIENCE_S = 30.0


def missing() -> str:
    """What is not installed, for a reason to skip; "" when all is there."""
    absent = [name for name in PROGRAMS if _program(name) is None]
    return f"{', '.join(absent)} not installed (Debian: slurm-wlm, munge)" if absent else ""


def slurm_for(target: str, folder: Path) -> LoopbackSlurm:
    """For the tests of a make target, such as "ssh-test"; skips, with a reason, where nobody asks for these."""
    if os.environ.get(f"METASSL_{target.upper().replace('-', '_')}") != "1":
        pytest.skip(f"starts daemons: `make {target}`")
    if reason := missing():
        pytest.skip(reason)
    return LoopbackSlurm(folder)


class LoopbackSlurm:
    """In a `with` block. `environment`: the variables by which Slurm's commands find it."""

    def __init__(self, folder: Path, grace: int = 0, cpus: int = 1, min_job_age: int = 300) -> None:
        self.folder = Path(folder)
        self.processes: dict[str, subprocess.Popen] = {}
        for name in ("state", "spool.n1", "spool.n2"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        conf = CONF.format(
            host=socket.gethostname().partition(".")[0],
            folder=self.folder,
            ports=_free_ports(),
            user=getpass.getuser(),
            grace=grace,
            cpus=cpus,
            min_job_age=min_job_age,
        )
        (self.folder / "slurm.conf").write_text(conf, encoding="utf-8")
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def __enter__(self) -> LoopbackSlurm:
        try:
            names = ("key-file=munge.key", "socket=munge.socket", "pid-file=munge.pid", "log-file=munge.log")
            options = [f"--{name.replace('=', f'={self.folder}/')}" for name in names]
            self._start("munged", "--foreground", "--force", f"--seed-file={self.folder}/munge.seed", *options)
            self._until("munged answers", (self.folder / "munge.socket").exists)
            self._start("slurmctld", "-D")
            self._until("slurmctld answers", lambda: "UP" in self.run("scontrol", "ping"))
            for node in ("n1", "n2"):
                self.start_node(node)
            self._until("two nodes are idle", lambda: self._nodes() == "2 idle")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if "slurmctld" in self.processes:
            self.empty()
        for name in reversed(list(self.processes)):
            self.processes[name].terminate()
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def empty(self) -> None:
        """Cancel all jobs, have both nodes back, and wait until it is so."""
        self.run("scancel", "--user", getpass.getuser())
        for node in ("n1", "n2"):
            if node not in self.processes:
                self.start_node(node)
        end = time.monotonic() + PATIENCE_S
        while (self.run("squeue", "-h") or self._nodes() != "2 idle") and time.monotonic() < end:
            time.sleep(0.2)

    def start_node(self, node: str) -> None:
        self._start("slurmd", "-D", "-N", node, called=node)

    def lose_node(self, node: str) -> None:
        """As when its power is cut: the daemon and all that it has started are gone in an instant."""
        process = self.processes.pop(node)
        process.send_signal(signal.SIGSTOP)
        for pid in _started_by(node, self.folder):
            _kill(pid)
        process.kill()
        process.wait()

    def run(self, *command: str) -> str:
        words = [_program(command[0]) or command[0], *command[1:]]
        return subprocess.run(words, env=self.environment, capture_output=True, text=True).stdout

    def state(self, job: str) -> str:
        """As "RUNNING"; "" for one that is not known."""
        return self.run("squeue", "-h", "--states=all", "-o", "%T", "-j", job).strip()

    def _nodes(self) -> str:
        return self.run("sinfo", "-h", "-p", "p", "-o", "%D %t").strip()

    def _start(self, program: str, *arguments: str, called: str = "") -> None:
        with open(self.folder / f"{called or program}.out", "ab") as out:
            self.processes[called or program] = subprocess.Popen(
                [_program(program) or program, *arguments],
                env=self.environment,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
            )

    def _until(self, what: str, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not holds():
            dead = [name for name, process in self.processes.items() if process.poll() is not None]
            if dead or time.monotonic() > end:
                outs = {
                    path.name: path.read_text(errors="replace", encoding="utf-8")[-600:]
                    for path in self.folder.glob("*.out")
                }
                raise RuntimeError(f"not so: {what}; ended: {dead}; {outs}")
            time.sleep(0.1)


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def _free_ports() -> list[int]:
    """One, and two that follow each other."""
    while True:
        with socket.socket() as first, socket.socket() as second, socket.socket() as third:
            first.bind(("127.0.0.1", 0))
            second.bind(("127.0.0.1", 0))
            port = second.getsockname()[1]
            try:
                third.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return [first.getsockname()[1], port, port + 1]


def _started_by(node: str, folder: Path) -> list[int]:
    """What runs in jobs on a node of this cluster: the daemons that look after the jobs first."""
    own, above = [], set()
    wanted = {f"SLURM_CONF={folder}/slurm.conf", f"SLURMD_NODENAME={node}"}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and wanted <= _variables(entry):
            own.append(int(entry.name))
            parent = int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            if "slurmstepd" in (Path("/proc") / str(parent) / "cmdline").read_text(encoding="utf-8"):
                above.add(parent)
    return [*above, *own]


def _variables(process: Path) -> set[str]:
    try:
        return set((process / "environ").read_text(encoding="utf-8", errors="replace").split("\0"))
    except OSError:
        return set()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
