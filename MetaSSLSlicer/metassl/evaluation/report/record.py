"""The record: what to know to believe the page, and to do it again."""

from __future__ import annotations

from typing import Any

from metassl.project.words import count

from .content import Content
from .markup import Markup, join, table, tag
from .words import NONE, duration, moment, number, words


def record_section(content: Content) -> Markup:
    """Settings, annotations, rounds, warnings."""
    return tag(
        "section",
        tag("h2", "The record"),
        tag("div", _settings(content), _annotations(content), class_="columns"),
        _rounds(content),
        _warnings(content),
        id="record",
    )


def _settings(content: Content) -> Markup:
    record, config, status = content.record, content.config, content.status
    versions = record.get("versions") or {}
    parent = record.get("parent")
    rows = {
        "Plan": status.plan.get("summary") or "not planned yet",
        "Framework": words(config.get("framework", NONE)).upper(),
        "Loss": words(config.get("loss", NONE)),
        "Asked for": _budget(config),
        "Started from": f"round {parent:04d}" if isinstance(parent, int) else "scratch",
        "Seed": config.get("seed", NONE),
        "Device": f"{status.device_name or status.device or NONE}, {status.precision}".rstrip(", "),
        "Channels": ", ".join(content.project.channels),
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()) or NONE,
        "Begun": moment(record.get("created", "")),
    }
    pairs = [[tag("dt", name), tag("dd", value)] for name, value in rows.items()]
    return tag("div", tag("h3", "Settings"), tag("dl", pairs, class_="pairs long"))


def _budget(config: dict[str, Any]) -> str:
    if config.get("iterations"):
        return f"{config['iterations']:,} steps"
    return duration(60 * config["minutes"]) if config.get("minutes") else NONE


def _annotations(content: Content) -> Markup:
    rows = []
    for case_id, version in content.trained_on.items():
        case = content.cases.get(case_id)
        spent = duration(case.seconds_spent) if case is not None and case.seconds_spent else NONE
        state = words(case.state) if case is not None else NONE
        rows.append([case_id, state, tag("code", str(version)[:8]), spent])
    title = f"Trained on {count(len(rows), 'annotation')}"
    shown = table(["Case", "State", "Version", "Time spent"], rows[:12], "lllr")
    more = None
    if len(rows) > 12:
        rest = table(["Case", "State", "Version", "Time spent"], rows[12:], "lllr")
        more = tag("details", tag("summary", f"{len(rows) - 12} more"), rest)
    others = len(content.record.get("unlabelled") or [])
    validation = len(content.record.get("validation") or {})
    text = f"and {count(others, 'unlabelled image')}"
    text += f"; {count(validation, 'case')} for validation." if validation else "."
    return tag("div", tag("h3", title), shown, more, tag("p", text, class_="muted"))


def _rounds(content: Content) -> Markup | None:
    if len(content.rounds) < 2:
        return None
    rows = []
    for found, status in content.rounds:
        record = found.record
        dice = ((status.validation or {}).get("dice") or {}).get("mean")
        rows.append(
            [
                f"{found.number:04d}",
                moment(record.get("created", "")),
                str(len(record.get("labels") or {})),
                duration(status.elapsed_s),
                status.device_name or status.device or NONE,
                number(dice),
                status.state,
            ]
        )
    heads = ["Round", "Begun", "Annotations", "Time", "Device", "Validation Dice", "State"]
    return join([tag("h3", "Rounds so far"), table(heads, rows, "llrrlrl")])


def _warnings(content: Content) -> Markup | None:
    status = content.status
    said = [*status.warnings, *(reason for reason in status.failed_cases.values())]
    if status.state == "failed":
        said.insert(0, " ".join(filter(None, [status.message, status.hint])))
    if not said:
        return None
    listed = tag("ul", [tag("li", text) for text in said])
    return tag("div", tag("h3", "Warnings"), listed, class_="note")
