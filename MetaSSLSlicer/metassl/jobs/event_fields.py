"""One line of events, as its readers may rely on it: a field that is not what it should be is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metassl.files.json_files import parse_json
from metassl.files.json_kinds import Kinds, by_name, having, mapping, maybe, number, text, texts, whole, whole_of


def parse_event(line: bytes) -> dict[str, Any] | None:
    """The event on a line; None when it is none."""
    try:
        event = parse_json(line)
    except ValueError:
        return None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return None
    if not whole(event.get("seq")):
        return None
    event = _sound(event, _KINDS)
    if event["event"] != "recap":
        return event
    if not _is_recap(event):
        return None
    told = {name: value for name, value in event["status"].items() if value is not None}
    return {**event, "status": _sound(told, _STATUS)}


def _sound(fields: Mapping[str, Any], kinds: Kinds) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is None or name not in kinds or kinds[name](value)}


_numbers = by_name(maybe(number))
_dice = having(mean=number, per_class=_numbers)
_KINDS = {
    **dict.fromkeys(("time", "stage", "message", "hint", "code", "device", "device_name", "precision"), text),
    **dict.fromkeys(("case", "reason", "file", "summary", "rung"), text),
    **dict.fromkeys(("step", "total", "pid", "count", "threads", "resumed_from"), whole),
    **dict.fromkeys(("eta_s", "seconds", "seconds_per_step", "data_wait_share", "memory_mb", "lr"), number),
    **dict.fromkeys(("loss", "regions", "uncertainty"), _numbers),
    "dice": _dice,
}
_is_recap = whole_of(
    status=mapping, run_started=text, last_time=text, former_s=number, predicted_cases=texts, at_stage=whole
)
_STATUS = {
    **_KINDS,
    **dict.fromkeys(("state", "host"), text),
    **dict.fromkeys(("predicted", "ranked"), whole),
    "elapsed_s": number,
    "validation": having(**_KINDS),
    "plan": having(summary=text),
    "failed_cases": by_name(text),
    "warnings": texts,
}
