"""List the semi-supervised frameworks that `metassl train --host` can use.

Each trains with --loss metassl, the paper's loss weighted by region, or with
--loss plain, its own loss on unlabelled images. With --json, `pair` says whose
agreement the region map shows.
"""

from __future__ import annotations

import argparse

from metassl.training.defaults import DEFAULTS

from .console import Console
from .options import add_json_option

SUMMARY = "list the frameworks that `train --host` can use"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.jobs.hosts_catalog import HOST_CATALOG, LOSSES

    console.table([(host.name, f"{host.title}: {host.summary}") for host in HOST_CATALOG])
    console.say()
    console.table([(host.name, host.citation) for host in HOST_CATALOG])
    console.say()
    console.say(f"default: --host {DEFAULTS['host']} --loss {DEFAULTS['loss']}")
    console.result(
        {
            "hosts": [host.to_json() for host in HOST_CATALOG],
            "losses": LOSSES,
            "default": {"host": DEFAULTS["host"], "loss": DEFAULTS["loss"]},
        }
    )
    return 0
