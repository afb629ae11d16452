"""What is handed to sbatch."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ..machine import Machine

LEAD_S, LEAD_SHARE = 120, 0.25
"""So long before its time is up a job is told, and no more than this share of it; Slurm may be up to a minute early."""


def submission(machine: Machine, name: str, log: str, array: int = 0) -> list[str]:
    """The command that takes the script on its stdin. log: where the output goes, as a
    pattern. array: how many tasks of it."""
    asked = {
        "partition": machine.partition,
        "time": machine.time,
        "mem": machine.memory,
        "cpus-per-task": machine.cpus,
        "gpus-per-node": machine.gpus,
        "array": f"0-{array - 1}" if array else "",
    }
    command = [
        "sbatch",
        "--parsable",
        f"--job-name={name}",
        "--nodes=1",
        "--ntasks=1",
        "--requeue",
        "--open-mode=append",
        f"--output={log}",
        f"--signal=B:USR1@{lead_of(machine.time)}",
    ]
    command += [f"--{option}={value}" for option, value in asked.items() if value]
    return [*command, *machine.options]


def lead_of(time: str) -> int:
    """Seconds; time: as Slurm writes it, "30" (minutes), "30:00", "4:00:00", "2-00" or "2-00:00:00"."""
    days, dash, rest = time.rpartition("-")
    try:
        numbers = [int(each) for each in rest.split(":")]
        if dash:
            seconds = 86400 * int(days) + sum(n * unit for n, unit in zip(numbers, (3600, 60, 1)))
        else:
            units = (60, 1) if len(numbers) < 3 else (3600, 60, 1)
            seconds = sum(n * unit for n, unit in zip(numbers, units))
    except ValueError:
        return LEAD_S
    return min(LEAD_S, max(int(LEAD_SHARE * seconds), 1)) if seconds else LEAD_S


def escaped(path: str) -> str:
    """A path as sbatch takes it: there % begins a pattern."""
    return path.replace("%", "%%")


def script(machine: Machine, python: str, engine: str, arguments: Sequence[str]) -> str:
    """A script that sets up what the machine asks for and becomes `python ARGUMENTS`. engine: holds the package."""
    lines = [
        "#!/bin/bash",
        "trap '' USR1 TERM  # until the Python heeds them",
        *machine.setup,
        'export METASSL_JOB="${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}"',
    ]
    if engine:
        quoted = shlex.quote(engine)
        lines += [f'export PYTHONPATH={quoted}"${{PYTHONPATH:+:$PYTHONPATH}}"', f"cd {quoted}"]
    lines.append("exec " + shlex.join([python, *arguments]))
    return "\n".join(lines) + "\n"
