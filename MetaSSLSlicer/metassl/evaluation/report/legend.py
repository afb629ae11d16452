"""What the colours mean, and how often each region is wrong."""

from __future__ import annotations

from typing import Any

from ..region_errors import REGIONS
from .charts import region_legend, share_bar, swatch
from .content import Content
from .markup import Markup, tag
from .review import flagged_sentence
from .words import REGION_TITLES, percent, percent_interval

_MEANING = {
    "UC": "Both networks say the same and are sure of it.",
    "US": "Both say the same and at least one is not sure. Borders often look like this.",
    "DC": "They say different things and one is surer than usual in such places: one of them is mistaken.",
    "DS": "They say different things and neither is sure: the image may leave it open.",
}


def legend_section(content: Content) -> Markup:
    """The two-by-two of agreement and confidence, with the measured error rates."""
    source = (
        f"P(error) is the share of a region's voxels that are wrong, {content.rates_from}."
        if content.rates
        else "How often each region is wrong is not yet measured: add validation cases, correct "
        "some predictions, or run metassl evaluate."
    )
    cells = {name: _cell(content, name) for name in REGIONS.values()}
    grid = tag(
        "div",
        tag("div", class_="corner"),
        tag("div", "Confident", class_="column"),
        tag("div", "Suspicious", class_="column"),
        tag("div", tag("span", "Unanimous"), class_="row"),
        cells["UC"],
        cells["US"],
        tag("div", tag("span", "Discrepant"), class_="row"),
        cells["DC"],
        cells["DS"],
        class_="quarters",
    )
    lead = "Two networks segment every image. Where they agree and how sure they are makes four regions."
    parts = [tag("h2", "What the colours mean"), tag("p", lead, class_="lead"), grid]
    return tag("section", parts, tag("p", source, class_="source"), _bars(content), id="regions")


def _cell(content: Content, name: str) -> Markup:
    rate = (content.rates or {}).get(name)
    measured = (
        [tag("strong", percent(rate)), " wrong", _rate_interval(content, name)]
        if rate is not None
        else tag("span", "not yet measured", class_="muted")
    )
    return tag(
        "div",
        tag("h3", swatch(name), REGION_TITLES[name]),
        tag("p", _MEANING[name]),
        tag("p", measured, class_="rate"),
        class_=f"quarter {name.lower()}-edge",
    )


def _rate_interval(content: Content, name: str) -> Markup | None:
    if content.fair_evaluation is None:
        return None
    ends = percent_interval(content.fair_evaluation["regions"][name].get("error_rate_interval"))
    return tag("span", f" ({ends})", class_="muted") if ends else None


def _bars(content: Content) -> Markup | None:
    evaluation = content.fair_evaluation
    if evaluation is not None and any(row["errors"] for row in evaluation["regions"].values()):
        rows = evaluation["regions"]
        bars = [
            _bar("Share of the volume", {name: rows[name]["share_of_volume"] for name in rows}),
            _bar("Share of the errors", {name: rows[name]["share_of_errors"] for name in rows}),
        ]
        below: Any = tag("p", flagged_sentence(evaluation["flagged"]), class_="finding")
    elif shares := content.volume_shares():
        bars, below = [_bar("Share of the predicted volume", shares)], None
    else:
        return None
    return tag("div", bars, region_legend(list(REGIONS.values())), below, class_="bars")


def _bar(title: str, shares: dict[str, float | None]) -> Markup:
    label = f"{title}: " + ", ".join(f"{name} {percent(share)}" for name, share in shares.items())
    return tag("div", tag("h4", title), share_bar(shares, label), class_="bar-row")
