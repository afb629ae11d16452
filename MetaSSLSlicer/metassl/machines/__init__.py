"""Other machines: what each is called, how it is reached, and the launchers that train there."""

from .begun import Begun, unfinished_on
from .checks import Check
from .machine import Machine
from .shell import Done, LocalShell, Shell
from .site import list_machines, read_machine, remove_machine, unusable_machines, write_machine

__all__ = [
    "Begun",
    "Check",
    "Done",
    "LocalShell",
    "Machine",
    "Shell",
    "list_machines",
    "read_machine",
    "remove_machine",
    "unfinished_on",
    "unusable_machines",
    "write_machine",
]
