"""Where a training can run; the code is loaded when it is used.

To add one: its class in `metassl.jobs` and an entry here; or a package of its own, with an entry point of the group
"metassl.launchers" that names a LauncherDescription.
"""

from __future__ import annotations

from .descriptions import LauncherDescription
from .plugins import entry_points_of

_OURS = (
    LauncherDescription("local", "this computer", "metassl.jobs.launcher:LocalLauncher"),
    LauncherDescription("ssh", "a computer over ssh", "metassl.machines.ssh.launcher:SshLauncher", machine=True),
    LauncherDescription("ssh+slurm", "Slurm over ssh", "metassl.machines.ssh.launcher:SshSlurmLauncher", machine=True),
    LauncherDescription("slurm", "a Slurm cluster", "metassl.machines.slurm.launcher:SlurmLauncher", machine=True),
)
LAUNCHER_CATALOG: tuple[LauncherDescription, ...] = (*_OURS, *entry_points_of("metassl.launchers"))
MACHINE_KINDS = tuple(each.name for each in LAUNCHER_CATALOG if each.machine)
"""What a machine can be."""
