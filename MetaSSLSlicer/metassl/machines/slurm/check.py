"""Whether a training could run on a Slurm cluster, found out without taking a node."""

from __future__ import annotations

import json
import shlex

from metassl import __version__

from ..checks import Check
from ..machine import Machine
from ..shell import Shell

_ASK = (
    "import json, platform, metassl\n"
    "from importlib.metadata import version, PackageNotFoundError\n"
    "found = {'python': platform.python_version(), 'metassl': metassl.__version__}\n"
    "for name in ('torch', 'monai', 'SimpleITK', 'numpy'):\n"
    "    try:\n"
    "        found[name] = version(name)\n"
    "    except PackageNotFoundError:\n"
    "        found[name] = None\n"
    "print(json.dumps(found))\n"
)


def check(machine: Machine, shell: Shell, python: str, engine: str) -> list[Check]:
    """Slurm, its partition, and the Python of the nodes as the node that answers here sees it."""
    slurm = shell.run(["sinfo", "--version"])
    if slurm.code:
        remedy = "run this where sbatch and squeue are, such as a login node"
        return [Check("Slurm", False, slurm.said, remedy)]
    checks = [Check("Slurm", True, slurm.out.strip()), _partition(machine, shell)]
    checks += python_checks(machine, shell, python, engine)
    return checks


def _partition(machine: Machine, shell: Shell) -> Check:
    asked = [f"--partition={machine.partition}"] if machine.partition else []
    done = shell.run(["sinfo", "--noheader", "--format=%R|%a|%D|%t|%G|%l", *asked])
    lines = [line.split("|") for line in done.out.splitlines() if line.count("|") == 5]
    title = f"the partition {machine.partition}" if machine.partition else "its partitions"
    if done.code or not lines:
        return Check(title, False, done.said if done.code else "there is none", "see `sinfo`, and set --partition")
    up = [line for line in lines if line[1] == "up"]
    words = ", ".join(f"{nodes} {state} ({gres}) up to {limit}" for _, _, nodes, state, gres, limit in lines)
    if not up:
        return Check(title, False, f"it is down: {words}", "set another --partition, or ask the administrators")
    if machine.gpus and not any("gpu" in line[4] for line in up):
        return Check(title, False, f"no node has a GPU: {words}", "set another --partition, or --gpus 0")
    return Check(title, True, words.replace(" ((null))", ""))


def python_checks(machine: Machine, shell: Shell, python: str, engine: str) -> list[Check]:
    """The interpreter there, and whether its packages are there and metassl is the same."""
    lines = [*machine.setup]
    if engine:
        quoted = shlex.quote(engine)
        lines += [f'export PYTHONPATH={quoted}"${{PYTHONPATH:+:$PYTHONPATH}}"', f"cd {quoted}"]
    lines.append(f"exec {shlex.quote(python)} -c {shlex.quote(_ASK)}")
    done = shell.run(["bash", "-s"], "\n".join(lines) + "\n", timeout_s=120)
    try:
        found = json.loads(done.out.strip().splitlines()[-1])
    except (ValueError, IndexError):
        remedy = f"install MetaSSL there (`{python} -m pip install metassl`), or set --python and --setup"
        return [Check("Python there", False, done.said, remedy)]
    checks = [Check("Python there", True, f"{python}, {found['python']}")]
    missing = [name for name, version in found.items() if version is None]
    words = ", ".join(f"{name} {version}" for name, version in found.items() if version and name != "python")
    remedy = f"`{python} -m pip install {' '.join(missing)}` there"
    checks.append(Check("packages", not missing, words or "none", remedy if missing else ""))
    if found["metassl"] != __version__:
        same = f"MetaSSL is {found['metassl']} there and {__version__} here"
        checks.append(Check("the same version", False, same, "install the same there, or set --engine"))
    return checks
