"""The semi-supervised frameworks that MetaSSL plugs into, and supervised training beside them, by name."""

from __future__ import annotations

from collections.abc import Callable

from metassl.choices.frameworks import FRAMEWORK_CATALOG, check_choice
from metassl.choices.plugins import load
from metassl.data.plan import Plan
from metassl.frameworks.base import Framework

FRAMEWORKS: dict[str, Callable[[Plan, str], Framework]] = {each.name: load(each.path) for each in FRAMEWORK_CATALOG}


def build_framework(name: str, plan: Plan, loss: str = "metassl") -> Framework:
    """A fresh framework; ProjectError for an unknown framework or loss, or one that the framework does not have."""
    check_choice(name, loss)
    return FRAMEWORKS[name](plan, loss)
