"""One self-contained HTML page about a round: no scripts, no network, pictures inside."""

from .write import write_report

__all__ = ["write_report"]
