"""Write the report of a round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metassl.files.atomic import make_folder, write_text
from metassl.project.project import Project
from metassl.project.rounds import Round

from .content import gather
from .page import page
from .pictures import render
from .places import places_of
from .review import PICTURED


def write_report(
    project: Project,
    round: Round,
    out: Path,
    evaluation: dict[str, Any] | None = None,
    pictures: bool = True,
) -> Path:
    """Write one HTML file about a round and return its path.

    `evaluation`: what `evaluate` returned, None when nothing was measured. `pictures`: render the
    most uncertain cases, in a child process; when that is impossible the page says why and goes on.
    Raises ProjectError when the round is damaged or `out` cannot be written.
    """
    out = Path(out)
    content = gather(project, round, evaluation)
    chosen = [entry["case"] for entry in content.waiting()[:PICTURED]]
    content.places = {case: places_of(project, round, case) for case in chosen}
    rendered = render(project, round, chosen, content.places) if pictures else None
    make_folder(out.parent)
    write_text(out, page(content, rendered))
    return out
