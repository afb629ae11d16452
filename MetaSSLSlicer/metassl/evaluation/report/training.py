"""How the training went: loss, regions and validation over the steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from metassl.project.words import NO_BREAK

from ..region_errors import FLAGGED
from .charts import Line, line_chart, region_chart
from .content import Content
from .markup import Markup, tag
from .words import NONE, duration, number, percent, words

MAX_LOSSES = 4


def training_section(content: Content) -> Markup:
    """The curves of the round, from its events."""
    steps = _progress(content.events)
    charts = [chart for chart in (_losses(steps), _regions(steps), _validation(content)) if chart]
    if not charts:
        text = "Nothing to show yet: the training has not reported a step."
        return tag("section", tag("h2", "How it trained"), tag("p", text), id="training")
    pace = tag("div", tag("h3", "Pace"), _pace(content, steps), class_="pace")
    grid = tag("div", charts, pace, class_="charts" + (" odd" if len(charts) == 2 else ""))
    return tag("section", tag("h2", "How it trained"), grid, id="training")


def _progress(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The reports of the training stage, in order of step; a resumed run replaces what it redid."""
    steps: list[dict[str, Any]] = []
    for event in events:
        if event["event"] != "progress" or event.get("stage") != "training":
            continue
        step = event.get("step")
        if isinstance(step, int):
            while steps and steps[-1]["step"] >= step:
                steps.pop()
            steps.append(event)
    return steps


def _series(steps: list[dict[str, Any]], value: Callable[[dict[str, Any]], Any]) -> list:
    pairs = ((event["step"], value(event)) for event in steps)
    return [(step, y) for step, y in pairs if isinstance(y, int | float)]


def _losses(steps: list[dict[str, Any]]) -> Markup | None:
    names = list(dict.fromkeys(name for event in steps for name in event.get("loss") or {}))
    lines = []
    for name in names[:MAX_LOSSES]:
        points = _series(steps, lambda event, name=name: (event.get("loss") or {}).get(name))
        if any(y > 0 for _, y in points):
            lines.append(Line(words(name), points))
    if not lines:
        return None
    chart = line_chart(lines, "step", "loss over the steps, logarithmic", log=True)
    return tag("figure", tag("h3", "Loss"), chart)


def _regions(steps: list[dict[str, Any]]) -> Markup | None:
    shares = {name: _series(steps, lambda event, name=name: (event.get("regions") or {}).get(name)) for name in FLAGGED}
    if not any(y > 0 for points in shares.values() for _, y in points):
        return None
    chart = region_chart(shares, "step", "share of the unlabelled voxels in US, DC and DS")
    caption = "The rest is UC: unanimous and confident."
    title = tag("h3", "Regions of the unlabelled images")
    return tag("figure", title, chart, tag("figcaption", caption))


def _validation(content: Content) -> Markup | None:
    lines: dict[str, dict[int, float]] = {}
    for event in content.events:
        dice = event.get("dice")
        if event["event"] != "validation" or not isinstance(dice, dict):
            continue
        per_class = dice.get("per_class") or {}
        for name, value in {"mean": dice.get("mean"), **per_class}.items():
            if isinstance(value, int | float) and isinstance(event.get("step"), int):
                lines.setdefault(name, {})[event["step"]] = value
    if not lines:
        return None
    shown = [Line(name, sorted(points.items())) for name, points in list(lines.items())[:5]]
    chart = line_chart(shown, "step", "validation Dice over the steps", dots=True)
    return tag("figure", tag("h3", "Dice on the validation cases watched"), chart)


def _pace(content: Content, steps: list[dict[str, Any]]) -> Markup:
    last = steps[-1] if steps else {}
    each, status = last.get("seconds_per_step"), content.status
    total = last.get("total")
    done = f"{last['step']:,}" if "step" in last else NONE
    rows = {
        "Steps": f"{done} of {total:,}" if total else done,
        "Time in all": duration(status.elapsed_s),
        "A step took": NONE if each is None else f"{number(1000 * each, 0)} ms",
        "Waiting for data": percent(last.get("data_wait_share")),
        "Memory": NONE if not last.get("memory_mb") else f"{last['memory_mb'] / 1024:.1f}{NO_BREAK}GB",
        "Device": " · ".join(filter(None, [status.device_name or status.device])) or NONE,
    }
    return tag("dl", [[tag("dt", k), tag("dd", v)] for k, v in rows.items()], class_="pairs")
