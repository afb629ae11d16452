"""The other machines that you can train on: list, add, test and remove them.

A machine has a name, a kind and what a job gets there; the list is yours and in no
project. `metassl train PROJECT --on NAME` trains there; `status` and `stop` are as
for a training on this computer. `test` finds out whether a training could run: it
takes no node and leaves nothing there. With `add` a known name is set up anew.
`remove` refuses while a round that was begun there from here is not finished.

  metassl machines
  metassl machines add cluster --kind slurm --partition gpu --gpus 1 --time 8:00:00 \\
      --python /home/me/venv/bin/python --setup "module load cuda"
  metassl machines test cluster
"""

from __future__ import annotations

import argparse

from metassl.choices.launchers import MACHINE_KINDS
from metassl.files.errors import ProjectError

from .shared.console import Console, command_line, listing
from .shared.options import add_json_option, count, count_or_none

SUMMARY = "list, add, test and remove machines to train on"


_OVER_SSH = ("host", "folder", "map")
_FOR_SLURM = ("partition", "gpus", "cpus", "memory", "time", "option")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("list", "add", "test", "remove"), default="list")
    parser.add_argument("name", nargs="?", metavar="NAME", help="what you call the machine (list: all)")
    parser.add_argument("--kind", choices=MACHINE_KINDS, help="how a training gets there")
    parser.add_argument("--python", default="", metavar="PATH", help="the Python there (default: the path of this one)")
    parser.add_argument(
        "--setup", action="append", default=[], metavar="LINE", help="a line of a shell before it; may be repeated"
    )
    parser.add_argument("--engine", default="", metavar="DIR", help="the folder there that holds the package metassl")
    ssh = parser.add_argument_group("a computer that ssh reaches")
    ssh.add_argument("--host", default="", metavar="HOST", help="as you type it after `ssh`: a name, or user@name")
    ssh.add_argument(
        "--folder", default="", metavar="DIR", help="where projects are copied to there (default: ~/.metassl)"
    )
    ssh.add_argument(
        "--map",
        action="append",
        default=[],
        nargs=2,
        metavar=("HERE", "THERE"),
        help="a folder that both share, by its two names: what is in it is not copied; may be repeated",
    )
    slurm = parser.add_argument_group("what to ask Slurm for (default: what it gives by itself)")
    slurm.add_argument("--partition", default="", metavar="NAME")
    slurm.add_argument(
        "--gpus", type=count_or_none, default=0, metavar="N", help="with more than one, each trains a part"
    )
    slurm.add_argument("--cpus", type=count, default=0, metavar="N")
    slurm.add_argument("--memory", default="", metavar="SIZE", help="such as 16G")
    slurm.add_argument("--time", default="", metavar="TIME", help="such as 4:00:00 or 2-00:00:00; it may be short")
    slurm.add_argument(
        "--option", action="append", default=[], metavar="WORD", help="another one of sbatch, as --option=--account=x"
    )
    parser.add_argument("--yes", action="store_true", help="remove it although rounds there are not finished")
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    if arguments.action == "list":
        return _list(arguments.name, console)
    if arguments.name is None:
        raise ProjectError(f"which machine? `metassl machines {arguments.action} NAME`")
    return {"add": _add, "test": _test, "remove": _remove}[arguments.action](arguments, console)


def _list(name: str | None, console: Console) -> int:
    from metassl.machines import list_machines, read_machine, unusable_machines

    machines, unusable = list_machines(), unusable_machines()
    if name is not None:
        machines = [each for each in machines if each.name == name]
        unusable = {each: wrong for each, wrong in unusable.items() if each == name}
        if not machines and not unusable:
            read_machine(name)
    if not machines and not unusable:
        console.say("no machine is set up: trainings run on this computer")
        console.say(f"next: {command_line('machines', 'add', '--help')}")
    for machine in machines:
        told = [f"{name} {_plain(value)}" for name, value in machine.to_json().items() if name != "kind"]
        console.say(f"{machine.name:<12} {machine.kind:<10} {', '.join(told)}".rstrip())
    for each, wrong in unusable.items():
        console.say(f"{each:<12} {'unusable':<10} {wrong}")
    console.result({"machines": {machine.name: machine.to_json() for machine in machines}, "unusable": unusable})
    return 0


def _add(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.machines import Machine, write_machine

    if arguments.kind is None:
        raise ProjectError(f"--kind says how a training gets there: {', '.join(MACHINE_KINDS)}")
    _refuse_of_another_kind(arguments)
    names = ("kind", "python", "engine", "host", "folder", "partition", "gpus", "cpus", "memory", "time")
    told = {name: getattr(arguments, name) for name in names}
    told["maps"] = tuple((here, there) for here, there in arguments.map)
    machine = Machine(arguments.name, setup=tuple(arguments.setup), options=tuple(arguments.option), **told)
    is_new = write_machine(machine)
    console.say(f"{machine.name} is {'set up' if is_new else 'set up anew'}")
    console.commands([(command_line("machines", "test", machine.name), "could a training run there?")])
    console.result({"machine": machine.name, "new": is_new, **machine.to_json()})
    return 0


def _refuse_of_another_kind(arguments: argparse.Namespace) -> None:
    """What a machine of that kind would never use."""
    for names, kind, others in ((_OVER_SSH, "slurm", "ssh or ssh+slurm"), (_FOR_SLURM, "ssh", "slurm or ssh+slurm")):
        given = [f"--{name}" for name in names if getattr(arguments, name)]
        if arguments.kind == kind and given:
            raise ProjectError(f"{', '.join(given)} would not be used: that is for --kind {others}")


def _test(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.jobs import get_launcher
    from metassl.machines import read_machine

    machine = read_machine(arguments.name)
    checks = get_launcher(machine.kind, machine.name).check()  # type: ignore[attr-defined]
    for check in checks:
        console.say(f"{'ok' if check.is_fine else 'FAILED':<7} {check.what}: {check.words}")
        if check.remedy:
            console.say(f"{'':<7} {check.remedy}")
    is_fine = all(check.is_fine for check in checks)
    console.say(f"{machine.name} is ready" if is_fine else f"{machine.name} is not ready")
    console.result({"machine": machine.name, "ok": is_fine, "checks": [vars(check) for check in checks]})
    return 0 if is_fine else 1


def _remove(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.machines import list_machines, read_machine, remove_machine, unfinished_on, unusable_machines

    name = arguments.name
    if name not in {machine.name for machine in list_machines()} | unusable_machines().keys():
        read_machine(name)
    left = [each.words for each in unfinished_on(name)]
    if left and not arguments.yes:
        raise ProjectError(
            f"{name} is kept: not finished there {'is' if len(left) == 1 else 'are'} {listing(left)}. Let it end, or "
            "forget the machine all the same with --yes: what runs there then goes on, and nothing of it comes here"
        )
    remove_machine(name)
    console.say(f"{name} is forgotten; what runs there goes on")
    for each in left:
        console.say(f"  {each}: `metassl train PROJECT --on local` goes on with it here")
    console.result({"removed": name, "unfinished": left})
    return 0


def _plain(value: object) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
