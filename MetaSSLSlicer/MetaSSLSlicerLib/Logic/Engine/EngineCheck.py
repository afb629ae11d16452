"""What `metassl doctor` found out about a Python, in the words of the panel."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ...Translation import _
from .EngineProcess import Result

_GPU_MEMORY = re.compile(r"(, \d+ GiB)\b.*")


@dataclass(frozen=True)
class EngineCheck:
    """`ready`: it can train. `device`: "cuda", "mps" or "cpu", with its name for people.

    `findings` are (state, name, text) with the states "ok", "note" and "failed"; `advice` says what to do
    about the first failure.
    """

    ready: bool
    device: str = ""
    deviceName: str = ""
    torchVersion: str = ""
    findings: tuple[tuple[str, str, str], ...] = ()
    problem: str = ""
    advice: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    """{package: version}"""

    @property
    def explanation(self) -> str:
        """Why it cannot train, and what to do."""
        return self.problem + (_("\nWhat to do: {advice}").format(advice=self.advice) if self.advice else "")

    @staticmethod
    def of(result: Result) -> EngineCheck:
        """The check from the result of `metassl doctor --json`."""
        checks = (result.json or {}).get("checks")
        if not isinstance(checks, list):
            return EngineCheck(ready=False, problem=result.text, advice=_unusable(result.text))
        checks = [check for check in checks if isinstance(check, dict)]
        found = {str(check.get("name")): check for check in checks}
        device, name = _device(found)
        failed = next((check for check in checks if check.get("state") == "failed"), {})
        return EngineCheck(
            ready=not failed,
            device=device,
            deviceName=name,
            torchVersion=_field(found, "torch", "text").partition(",")[0] if _ok(found, "torch") else "",
            findings=tuple(
                (str(c.get("state")), str(c.get("name")), _joined(c.get("text"), c.get("advice"))) for c in checks
            ),
            problem=_joined(f"{failed.get('name')}: {failed.get('text')}") if failed else "",
            advice=str(failed.get("advice") or "") if failed else "",
            versions={str(name): str(version) for name, version in ((result.json or {}).get("versions") or {}).items()},
        )


def _device(found: dict[str, dict[str, Any]]) -> tuple[str, str]:
    text = _field(found, "GPU", "text")
    if _ok(found, "GPU") and text.startswith("CUDA"):
        first = text.partition(": ")[2].split(";")[0].strip()
        return "cuda", _GPU_MEMORY.sub(r"\1", first) or _("NVIDIA GPU")
    if _ok(found, "GPU"):
        return "mps", _("Apple GPU")
    cores = _field(found, "cores", "text").partition(" ")[0]
    return "cpu", _("CPU ({cores} cores)").format(cores=cores) if cores.isdigit() else _("CPU")


def _unusable(text: str) -> str:
    if "No module named" in text:
        missing = text.partition("No module named")[2].strip(" '\"").split(".")[0]
        return _("The package {name} is not installed in this Python.").format(name=missing)
    return _("Choose another Python, or go back to Slicer's own.")


def _ok(found: dict[str, dict[str, Any]], name: str) -> bool:
    return found.get(name, {}).get("state") == "ok"


def _field(found: dict[str, dict[str, Any]], name: str, field: str) -> str:
    return str(found.get(name, {}).get(field) or "")


def _joined(*texts: Any) -> str:
    return ". ".join(str(text) for text in texts if text)
