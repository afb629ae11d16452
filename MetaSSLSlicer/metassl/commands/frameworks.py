"""List the semi-supervised frameworks that `metassl train --framework` can use, and the losses for `--loss`.

The official losses follow the published script for the framework; where there
is none, that of another framework stands in, and the list says which. With
--json, `pair` says whose agreement the region map shows.
"""

from __future__ import annotations

import argparse

from metassl.choices.defaults import DEFAULTS
from metassl.choices.descriptions import FrameworkDescription

from .shared.console import Console
from .shared.options import add_json_option

SUMMARY = "list the frameworks and losses that `train` can use"
ALIASES = ("hosts",)  # its name until 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.choices.frameworks import FRAMEWORK_CATALOG, LOSS_CATALOG

    console.table([(framework.name, f"{framework.title}: {framework.summary}") for framework in FRAMEWORK_CATALOG])
    console.say()
    console.table([(framework.name, framework.citation) for framework in FRAMEWORK_CATALOG])
    console.say()
    console.table([(loss.name, loss.summary) for loss in LOSS_CATALOG])
    console.say()
    console.table([(framework.name, _losses_of(framework)) for framework in FRAMEWORK_CATALOG])
    console.say()
    console.say(f"default: --framework {DEFAULTS['framework']} --loss {DEFAULTS['loss']}")
    console.result(
        {
            "frameworks": [framework.to_json() for framework in FRAMEWORK_CATALOG],
            "losses": [loss.to_json() for loss in LOSS_CATALOG],
            "default": {"framework": DEFAULTS["framework"], "loss": DEFAULTS["loss"]},
        }
    )
    return 0


def _losses_of(framework: FrameworkDescription) -> str:
    from metassl.choices.frameworks import script_of

    if framework.script:
        return f"official: {script_of(framework.name)}"
    return f"{' and '.join(framework.losses)} only: {framework.lacks}"
