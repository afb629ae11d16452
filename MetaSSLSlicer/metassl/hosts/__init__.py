"""The semi-supervised frameworks that MetaSSL plugs into, and supervised training beside them, by name."""

from __future__ import annotations

from metassl.data.plan import Plan
from metassl.hosts.base import Host
from metassl.hosts.bcp import BidirectionalCopyPaste
from metassl.hosts.cct import CrossConsistency
from metassl.hosts.cps import CrossPseudoSupervision
from metassl.hosts.fixmatch import FixMatch
from metassl.hosts.mean_teacher import MeanTeacher
from metassl.hosts.rdrop import RDrop
from metassl.hosts.supervised import Supervised
from metassl.hosts.uamt import UncertaintyAwareMeanTeacher
from metassl.jobs.hosts_catalog import LOSSES
from metassl.project.errors import MetaSSLError

HOSTS: dict[str, type[Host]] = {
    host.name: host
    for host in (
        CrossPseudoSupervision,
        MeanTeacher,
        UncertaintyAwareMeanTeacher,
        FixMatch,
        CrossConsistency,
        RDrop,
        BidirectionalCopyPaste,
        Supervised,
    )
}


def build_host(name: str, plan: Plan, loss: str = "metassl") -> Host:
    """A fresh host; MetaSSLError for an unknown host or loss."""
    if name not in HOSTS:
        raise MetaSSLError(f"there is no host {name!r}: choose one of {', '.join(HOSTS)}")
    if loss not in LOSSES:
        raise MetaSSLError(f"there is no loss {loss!r}: choose one of {', '.join(LOSSES)}")
    return HOSTS[name](plan, loss)
