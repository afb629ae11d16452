"""Write the report of a round: the template, filled with the numbers and the pictures."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from MetaSSLPictures import drawPictures

from metassl import __version__
from metassl.files.atomic import make_folder, write_text
from metassl.files.errors import MetaSSLError
from metassl.imaging.images import read_image
from metassl.imaging.writer import write_array
from metassl.project.project import Project
from metassl.project.rounds import Round
from metassl.project.words import count

from . import charts
from . import words as filters
from .numbers import Card, gather

FOLDER = Path(__file__).parent
_FILTERS = ("number", "percent", "interval", "percent_interval", "duration", "volume", "moment", "words")
_CHARTS = ("line_chart", "region_chart", "region_legend", "swatch", "share_bar", "dot_strip", "reliability_chart")


def write_report(
    project: Project,
    round: Round,
    out: Path,
    evaluation: dict[str, Any] | None = None,
    pictures: bool = True,
) -> Path:
    """Write one HTML file about a round and return its path.

    `evaluation`: what `evaluate` returned, None when nothing was measured. `pictures`: render the
    first cases of the ranking, in a child process; when that is impossible the page says why and goes on.
    Raises ProjectError when the round is damaged or `out` cannot be written.
    """
    out = Path(out)
    report = gather(project, round, evaluation)
    drawn, problem = draw(project, round, report.cards) if pictures else ({}, "")
    encoded = {case: base64.b64encode(png).decode("ascii") for case, png in drawn.items()}
    style = Markup((FOLDER / "style.css").read_text(encoding="utf-8"))
    template = _environment().get_template("report.html")
    page = template.render(report=report, pictures=encoded, problem=problem, style=style, version=__version__).lstrip()
    make_folder(out.parent)
    write_text(out, page)
    return out


def draw(project: Project, round: Round, cards: Sequence[Card]) -> tuple[dict[str, bytes], str]:
    """A PNG file of each case that could be drawn, and why others could not. Never raises."""
    jobs, problems = [], []
    with tempfile.TemporaryDirectory(prefix="metassl-") as folder:
        for index, card in enumerate(cards):
            try:
                jobs.append(_job(project, round, card, Path(folder) / f"{index}.nrrd"))
            except MetaSSLError as error:
                problems.append(str(error))
        drawn, problem = drawPictures(jobs)
    return drawn, " ".join(filter(None, [*problems, problem]))


def _job(project: Project, round: Round, card: Card, copy: Path) -> dict[str, Any]:
    image = project.image_paths(card.case.id)[0]
    if image.is_dir():  # a DICOM series: the pictures are drawn from single files
        series = read_image([image], card.case.id)
        image = copy
        write_array(image, series.array[0], series.geometry)
    paths = round.prediction(card.case.id)
    return {
        "title": card.case.id,
        "image": str(image),
        "segmentation": str(paths.segmentation),
        "regions": str(paths.regions),
        "labels": [asdict(label) for label in project.labels],
        "place": card.index_xyz,
    }


def _environment() -> Environment:
    """Whatever is not markup is escaped, so no text can be code; a figure that is missing is a mistake."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=filters.shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update({name: getattr(filters, name) for name in _FILTERS})
    made.globals.update({name: getattr(charts, name) for name in _CHARTS}, count=count, NONE=filters.NONE)
    made.globals.update(Line=charts.Line)
    return made
