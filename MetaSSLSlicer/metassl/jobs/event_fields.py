"""One line of events, as its readers may rely on it: a field that is not what it should be is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..project.json_text import parse_json

_LARGEST = 2**53
"""What a float can count to."""


def parse_event(line: bytes) -> dict[str, Any] | None:
    """The event on a line; None when it is none."""
    try:
        event = parse_json(line)
    except ValueError:
        return None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return None
    if not _whole(event.get("seq")):
        return None
    event = _sound(event, _KINDS)
    if event["event"] != "recap":
        return event
    whole = {name: check(event.get(name)) for name, check in _RECAP.items()}
    if not all(whole.values()):
        return None
    told = {name: value for name, value in event["status"].items() if value is not None}
    return {**event, "status": _sound(told, _STATUS)}


def _sound(fields: Mapping[str, Any], kinds: Mapping[str, Callable[[Any], bool]]) -> dict[str, Any]:
    return {
        name: value
        for name, value in fields.items()
        if value is None or name not in kinds or kinds[name](value)
    }


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LARGEST


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


def _numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(each is None or _number(each) for each in value.values())


def _dice(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    mean, per_class = value.get("mean"), value.get("per_class")
    return (mean is None or _number(mean)) and (per_class is None or _numbers(per_class))


def _validation(value: Any) -> bool:
    return isinstance(value, dict) and all(kind(value[n]) for n, kind in _KINDS.items() if value.get(n) is not None)


def _plan(value: Any) -> bool:
    return isinstance(value, dict) and (value.get("summary") is None or _text(value["summary"]))


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _text_by_text(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_text, value.values()))


_KINDS = {
    **dict.fromkeys(("time", "stage", "message", "hint", "device", "device_name", "precision"), _text),
    **dict.fromkeys(("case", "reason", "file", "summary", "rung"), _text),
    **dict.fromkeys(("step", "total", "pid", "count", "threads", "resumed_from"), _whole),
    **dict.fromkeys(("eta_s", "seconds", "seconds_per_step", "data_wait_share", "memory_mb", "lr"), _number),
    **dict.fromkeys(("loss", "regions", "doubt"), _numbers),
    "dice": _dice,
}
_RECAP = {
    "status": lambda value: isinstance(value, dict),
    "run_started": _text,
    "last_time": _text,
    "former_s": _number,
    "predicted_cases": _texts,
    "at_stage": _whole,
}
_STATUS = {
    **_KINDS,
    **dict.fromkeys(("state", "host"), _text),
    **dict.fromkeys(("predicted", "ranked"), _whole),
    "elapsed_s": _number,
    "validation": _validation,
    "plan": _plan,
    "failed_cases": _text_by_text,
    "warnings": _texts,
}
