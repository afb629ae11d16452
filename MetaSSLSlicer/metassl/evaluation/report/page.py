"""The page as a whole: head, key figures, the loop, sections, foot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metassl import __version__
from metassl.project.words import count

from .calibration import calibration_section
from .charts import REGION_COLORS
from .content import Content
from .legend import legend_section
from .markup import Markup, join, tag
from .pictures import Pictures
from .quality import quality_section
from .record import record_section
from .review import review_section
from .training import training_section
from .words import duration, interval, moment, number, percent

STYLE = Path(__file__).with_name("style.css")
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
PAPER = "MetaSSL, arXiv:2509.01144"


def page(content: Content, pictures: Pictures | None) -> str:
    """The whole document."""
    title = f"{content.project.name} · {content.round.title}"
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(STYLE.read_text(encoding="utf-8"))),
    ]
    body = [
        _header(content),
        tag(
            "main",
            _figures(content),
            _loop(content),
            review_section(content, pictures),
            legend_section(content),
            calibration_section(content),
            quality_section(content),
            training_section(content),
            record_section(content),
        ),
        _footer(content),
    ]
    document = tag("html", tag("head", head), tag("body", body), lang="en")
    return f"<!DOCTYPE html>\n{document}\n"


def _logo() -> Markup:
    places = {"UC": (0, 0), "US": (13, 0), "DC": (0, 13), "DS": (13, 13)}
    squares = [
        tag("rect", x=x, y=y, width=11, height=11, rx=2.5, fill=REGION_COLORS[name]) for name, (x, y) in places.items()
    ]
    return tag("svg", squares, viewBox="0 0 24 24", class_="logo", aria_hidden="true")


def _header(content: Content) -> Markup:
    status = content.status
    line = [
        f"Round {content.round.number:04d}",
        tag("span", status.state, class_=f"pill {status.state}"),
        moment(content.record.get("created", "")),
    ]
    sections = {
        "review": "Review",
        "regions": "Colours",
        "quality": "Quality",
        "training": "Training",
        "record": "Record",
    }
    links = [tag("a", name, href=f"#{anchor}") for anchor, name in sections.items()]
    return tag(
        "header",
        tag("div", tag("span", _logo(), "MetaSSL", class_="brand"), tag("nav", links), class_="bar"),
        tag("h1", content.project.name),
        tag("p", join(line, " "), class_="under"),
    )


def _figures(content: Content) -> Markup:
    return tag("div", [_figure(*figure) for figure in _key_figures(content)], class_="figures")


def _figure(title: str, value: str, below: Any) -> Markup:
    missing = value == "not yet measured"
    return tag(
        "div",
        tag("h2", title),
        tag("p", value, class_="value missing" if missing else "value"),
        tag("p", below, class_="below"),
        class_="figure",
    )


def _key_figures(content: Content) -> list[tuple[str, str, Any]]:
    evaluation, status = content.evaluation, content.status
    unknown = "not yet measured"
    dice, where = unknown, "Run metassl evaluate"
    validation = ((status.validation or {}).get("dice") or {}).get("mean")
    if evaluation is not None:
        ends = interval(evaluation["dice"]["interval"])
        dice = number(evaluation["dice"]["mean"])
        where = f"95 %: {ends}, " if ends else "on "
        where += count(evaluation["n_cases"], "case")
        where += f", {len(content.known_cases)} trained on" if content.known_cases else ""
    elif validation is not None:
        dice, where = number(validation), "on the validation cases watched"
    found, flagged_where = unknown, "Share of the errors in US, DC, DS"
    flagged = (content.fair_evaluation or {}).get("flagged") or {}
    if flagged.get("share_of_errors") is not None:
        found = percent(flagged["share_of_errors"])
        flagged_where = f"of wrong voxels are flagged, in {percent(flagged['share_of_volume'])}"
        flagged_where += " of the volume"
    waiting = [entry["case"] for entry in content.waiting()]
    first = f"first: {waiting[0]}" if waiting else "none is waiting"
    return [
        ("Mean Dice", dice, where),
        ("Errors flagged", found, flagged_where),
        ("To review", str(len(waiting)), first),
        ("The round took", duration(status.elapsed_s), status.device_name or status.device),
    ]


def _loop(content: Content) -> Markup:
    states = [case.state for case in content.cases.values() if case.split == "pool"]
    reviewed = {
        state: states.count(state)
        for state in ("accepted", "corrected", "rejected", "in_progress")
        if states.count(state)
    }
    others = len(content.record.get("unlabelled") or [])
    listed = ", ".join(f"{amount} {name.replace('_', ' ')}" for name, amount in reviewed.items())
    steps = {
        "Label": f"{count(len(content.trained_on), 'case')} of {len(states)}",
        "Train": f"with {count(others, 'unlabelled image')}",
        "Predict": count(len(content.summaries), "case"),
        "Review": listed or "nothing reviewed yet",
    }
    items = [tag("li", tag("strong", name), tag("span", text)) for name, text in steps.items()]
    return tag("ol", items, class_="loop")


def _footer(content: Content) -> Markup:
    return tag(
        "footer",
        tag(
            "p",
            "For research. Not a medical device: every segmentation needs a reader's judgement. ",
            "Case names and images are in this file; nothing was sent anywhere to make it.",
        ),
        tag("p", f"Method: {PAPER}. Made by metassl {__version__}, {moment(content.written)}."),
    )
