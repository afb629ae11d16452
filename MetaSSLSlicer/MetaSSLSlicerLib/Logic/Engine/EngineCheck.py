"""What `metassl doctor` found out about a Python, in the words of the panel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from metassl.files import ErrorCode

from ...Translation import _
from .EngineProcess import Result


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
        content = result.json or {}
        checks = content.get("checks")
        if not isinstance(checks, list):
            return EngineCheck(ready=False, problem=result.text, advice=_unusable(content.get("error") or {}))
        checks = [check for check in checks if isinstance(check, dict)]
        found = {str(check.get("name")): check for check in checks}
        device, name = _device(found)
        versions = {str(package): str(version) for package, version in (content.get("versions") or {}).items()}
        failed = next((check for check in checks if check.get("state") == "failed"), {})
        return EngineCheck(
            ready=not failed,
            device=device,
            deviceName=name,
            torchVersion=versions.get("torch", "") if _ok(found, "torch") else "",
            findings=tuple(
                (str(c.get("state")), str(c.get("name")), _joined(c.get("text"), c.get("advice"))) for c in checks
            ),
            problem=_joined(f"{failed.get('name')}: {failed.get('text')}") if failed else "",
            advice=str(failed.get("advice") or "") if failed else "",
            versions=versions,
        )


def _device(found: dict[str, dict[str, Any]]) -> tuple[str, str]:
    gpu = _facts(found, "GPU")
    if _ok(found, "GPU") and gpu.get("device") == "cuda":
        return "cuda", str(gpu.get("name") or "") or _("NVIDIA GPU")
    if _ok(found, "GPU"):
        return "mps", _("Apple GPU")
    cores = _facts(found, "cores").get("cores")
    return "cpu", _("CPU ({cores} cores)").format(cores=cores) if cores else _("CPU")


def _unusable(error: dict[str, Any]) -> str:
    if ErrorCode.of(error.get("code")) is ErrorCode.MISSING_PACKAGE:
        missing = str(error.get("package") or "").split(".")[0]
        return _("The package {name} is not installed in this Python.").format(name=missing)
    return _("Choose another Python, or go back to Slicer's own.")


def _ok(found: dict[str, dict[str, Any]], name: str) -> bool:
    return found.get(name, {}).get("state") == "ok"


def _facts(found: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    return found.get(name, {}).get("facts") or {}


def _joined(*texts: Any) -> str:
    return ". ".join(str(text) for text in texts if text)
