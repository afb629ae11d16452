"""The semi-supervised frameworks that MetaSSL plugs into, and supervised training beside them, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from metassl.choices.frameworks import FRAMEWORK_CATALOG, check_choice, describe_framework
from metassl.choices.plugins import load
from metassl.data.plan import Plan
from metassl.frameworks.base import Framework

FRAMEWORKS: dict[str, Callable[[Plan, str], Framework]]
"""{name: class}. Loaded when it is asked for: somebody's package may import ours on its way."""


def build_framework(name: str, plan: Plan, loss: str = "metassl") -> Framework:
    """A fresh framework; ProjectError for an unknown framework or loss, or one that the framework does not have."""
    check_choice(name, loss)
    framework: Framework = load(describe_framework(name).path)(plan, loss)
    return framework


def __getattr__(name: str) -> Any:
    if name == "FRAMEWORKS":
        return {each.name: load(each.path) for each in FRAMEWORK_CATALOG}
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
