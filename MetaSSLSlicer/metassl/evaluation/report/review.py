"""Where to look first: pictures of the most uncertain cases, and the ranking."""

from __future__ import annotations

import base64
from typing import Any

from metassl.project.places.search import Place
from metassl.project.places.words import place_text, volume_text
from metassl.project.words import count

from .calibration import expected_dice
from .charts import share_bar, swatch
from .content import Content
from .markup import Markup, join, table, tag
from .pictures import Pictures
from .words import NONE, REGION_TITLES, percent, words

SHOWN = 10
PLACES_SHOWN = 3
PICTURED = 3


def review_section(content: Content, pictures: Pictures | None) -> Markup:
    """`pictures`: None when none were asked for."""
    if not content.ranking:
        predicted = len(content.summaries)
        text = (
            f"{count(predicted, 'case is', 'cases are')} predicted; none waits to be ranked."
            if predicted
            else "No case is predicted yet; the cases to look at first will be listed here."
        )
        return tag("section", tag("h2", "Where to look first"), tag("p", text), id="review")
    lead = (
        f"{count(len(content.ranking), 'predicted case')}. Those at the top of this list are expected to need most "
        "correction; the next training learns from what was reviewed."
    )
    return tag(
        "section",
        tag("h2", "Where to look first"),
        tag("p", lead, class_="lead"),
        _cards(content, pictures or Pictures()),
        _ranking(content),
        id="review",
    )


def _cards(content: Content, pictures: Pictures) -> Markup:
    cards = [
        _card(content, rank, entry, pictures.files.get(entry["case"]))
        for rank, entry in enumerate(content.ranking, start=1)
        if entry["case"] in pictures.files or content.places.get(entry["case"])
    ]
    note = tag("p", pictures.problem, class_="note") if pictures.problem else None
    return join([cards, note])


def _card(content: Content, rank: int, entry: dict[str, Any], png: bytes | None) -> Markup:
    case = entry["case"]
    facts = [tag("p", entry.get("reason", ""), class_="reason"), _places(content.places.get(case, []))]
    summary = content.summaries.get(case)
    if summary is not None:
        inside = summary.get("band_voxels") or summary["voxels"]
        facts += [
            tag("h4", "Round the structures"),
            share_bar(inside, f"regions round the structures of {case}", short=True),
            _regions(content, inside),
            _volumes(content, summary),
        ]
    head = tag("h3", tag("span", f"{rank}", class_="place"), case, " ", _state(content, case))
    text = tag("div", head, facts, class_="facts")
    if png is None:
        return tag("article", text, class_="case wide")
    source = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    alternative = (
        f"{case}: three slices through the first place to look at and the surface, with the outline "
        "of the segmentation and the regions in colour"
    )
    return tag("article", tag("img", src=source, alt=alternative), text, class_="case")


def _places(places: list[Place]) -> Markup | None:
    if not places:
        return None
    items = [tag("li", place_text(place)) for place in places[:PLACES_SHOWN]]
    title = f"First of {count(len(places), 'place')} to look at"
    return join([tag("h4", title), tag("ol", items, class_="places")])


def _regions(content: Content, inside: dict[str, int]) -> Markup:
    total = sum(inside.values()) or 1
    rows = [[swatch(name), REGION_TITLES[name], percent(n / total)] for name, n in inside.items()]
    heads = ["", "", "Share"]
    if content.rates:
        heads.append("P(error)")
        for row, name in zip(rows, inside, strict=True):
            row.append(percent(content.rates.get(name)))
    return table(heads, rows, "llrr")


def _volumes(content: Content, summary: dict[str, Any]) -> Markup | None:
    volumes = summary.get("volume_ml")
    if not volumes:
        return None
    colors = {label.name: label.color for label in content.project.labels}
    rows = []
    for name, ml in volumes.items():
        key = tag("span", style=f"background:{colors.get(name, '#fff')}", class_="key")
        rows.append([tag("dt", key, name), tag("dd", volume_text(ml))])
    listed = tag("dl", rows, class_="pairs")
    return join([tag("h4", "Outlines in the picture"), listed])


def _ranking(content: Content) -> Markup:
    most = max(max(entry["score"] for entry in content.ranking), 1e-9)
    rows = [_row(content, place, entry, most) for place, entry in enumerate(content.ranking, start=1)]
    heads, sides = ["", "Case", "Uncertainty", "Why", "Structures"], "rlllr"
    if _predicts_dice(content):
        heads, sides = [*heads[:3], "Expected Dice", *heads[3:]], "rlllrr"
    shown = table(heads, rows[:SHOWN], sides, class_="ranking")
    parts: list[Any] = [tag("h3", f"Ranking by {words(content.strategy)}"), shown]
    if len(rows) > SHOWN:
        rest = table(heads, rows[SHOWN:], sides, class_="ranking")
        title = f"{count(len(rows) - SHOWN, 'more case')}"
        parts.append(tag("details", tag("summary", title), rest))
    return join(parts)


def _row(content: Content, place: int, entry: dict[str, Any], most: float) -> list[Any]:
    case, score = entry["case"], entry["score"]
    width = f"width:{100 * max(score, 0) / most:.1f}%"
    bar = tag("span", tag("span", style=width, class_="fill"), class_="meter")
    volumes = (content.summaries.get(case) or {}).get("volume_ml")
    total = NONE if not volumes else volume_text(sum(volumes.values()))
    uncertainty = tag("span", bar, f"{score:.3g}", class_="uncertainty")
    expected = [expected_dice(content.summaries.get(case))] if _predicts_dice(content) else []
    return [
        f"{place}",
        tag("td", case, " ", _state(content, case)),
        uncertainty,
        *expected,
        entry.get("reason", ""),
        total,
    ]


def _predicts_dice(content: Content) -> bool:
    return bool((content.measured or {}).get("dice_model"))


def _state(content: Content, case_id: str) -> Markup | None:
    """What has become of a case since it was ranked."""
    case = content.cases.get(case_id)
    if case is None or case.state in ("predicted", "unlabelled"):
        return None
    return tag("span", words(case.state), class_=f"pill {case.state}")


def flagged_sentence(flagged: dict[str, Any]) -> str:
    """Where the errors lie, in a sentence."""
    return (
        f"US, DC and DS together hold {percent(flagged['share_of_errors'])} of all wrong voxels "
        f"in {percent(flagged['share_of_volume'])} of the volume."
    )
