"""The semi-supervised frameworks that MetaSSL plugs into, and supervised training beside them, by name."""

from __future__ import annotations

from collections.abc import Callable

from metassl.choices.frameworks import FRAMEWORK_CATALOG, LOSSES
from metassl.choices.plugins import load
from metassl.data.plan import Plan
from metassl.files.errors import MetaSSLError
from metassl.frameworks.base import Framework

FRAMEWORKS: dict[str, Callable[[Plan, str], Framework]] = {each.name: load(each.path) for each in FRAMEWORK_CATALOG}


def build_framework(name: str, plan: Plan, loss: str = "metassl") -> Framework:
    """A fresh framework; MetaSSLError for an unknown framework or loss."""
    if name not in FRAMEWORKS:
        raise MetaSSLError(f"there is no framework {name!r}: choose one of {', '.join(FRAMEWORKS)}")
    if loss not in LOSSES:
        raise MetaSSLError(f"there is no loss {loss!r}: choose one of {', '.join(LOSSES)}")
    return FRAMEWORKS[name](plan, loss)
