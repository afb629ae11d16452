"""List the semi-supervised frameworks that `metassl train --framework` can use.

Each trains with --loss metassl, the paper's loss weighted by region, or with
--loss plain, its own loss on unlabelled images. With --json, `pair` says whose
agreement the region map shows.
"""

from __future__ import annotations

import argparse

from metassl.choices.defaults import DEFAULTS

from .shared.console import Console
from .shared.options import add_json_option

SUMMARY = "list the frameworks that `train --framework` can use"
ALIASES = ("hosts",)  # its name until 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.choices.frameworks import FRAMEWORK_CATALOG, LOSSES

    console.table([(framework.name, f"{framework.title}: {framework.summary}") for framework in FRAMEWORK_CATALOG])
    console.say()
    console.table([(framework.name, framework.citation) for framework in FRAMEWORK_CATALOG])
    console.say()
    console.say(f"default: --framework {DEFAULTS['framework']} --loss {DEFAULTS['loss']}")
    console.result(
        {
            "frameworks": [framework.to_json() for framework in FRAMEWORK_CATALOG],
            "losses": LOSSES,
            "default": {"framework": DEFAULTS["framework"], "loss": DEFAULTS["loss"]},
        }
    )
    return 0
