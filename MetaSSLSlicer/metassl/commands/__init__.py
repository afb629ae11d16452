"""The commands, one file each, in the order in which a user meets them.

Each has a docstring (its --help), SUMMARY (its line in `metassl --help`), `add_arguments(parser)`
and `run(arguments, console) -> exit code`. Engine modules are imported inside `run`, so that
--help is quick. What they share is in `shared`. Other packages add commands of the same kind
through the entry points "metassl.commands"; CHAPTER says under which heading.
"""

from types import ModuleType

from metassl.choices.plugins import entry_points_of

from . import (
    clean,
    demo,
    doctor,
    evaluate,
    export,
    finish,
    frameworks,
    machines,
    predict,
    rank,
    report,
    rounds,
    sample,
    status,
    stop,
    train,
)
from .begin import add, label, new, remove, scan, structure

STORY = (
    ("See it once:", (demo, sample)),
    ("Begin a project and give it its first annotations:", (scan, new, label, add, remove, structure)),
    ("Train in the background, and look after it:", (train, frameworks, status, stop, rounds, machines)),
    ("Find out where to look next, and when to stop:", (predict, rank, finish)),
    ("Measure and show the result:", (evaluate, report, export)),
    ("When something is wrong with this computer, or its disk is full:", (doctor, clean)),
)


def chapters() -> list[tuple[str, tuple]]:
    """STORY with the commands of other packages, each in its chapter."""
    found = {title: list(modules) for title, modules in STORY}
    taken = {name_of(module) for modules in found.values() for module in modules}
    for module in entry_points_of("metassl.commands"):
        if name_of(module) not in taken:
            found.setdefault(getattr(module, "CHAPTER", "More:"), []).append(module)
    return [(title, tuple(modules)) for title, modules in found.items()]


def name_of(module: ModuleType) -> str:
    """The command that a module is."""
    return module.__name__.rpartition(".")[2]
