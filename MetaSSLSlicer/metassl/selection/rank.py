"""Rank the predicted cases of a round and write ranking.json."""

from __future__ import annotations

import math
from typing import Any

from metassl.project.errors import MetaSSLError
from metassl.project.files import read_json, write_json
from metassl.project.project import Project
from metassl.project.rounds import Round

from .base import DEFAULT, get_strategy


def rank(project: Project, round: Round, strategy: str = DEFAULT) -> dict[str, Any]:
    """Rank the round's predicted cases of the pool that nobody has labelled yet.

    Writes and returns {"strategy", "cases": [{"case", "score", "parts", "reason"}, ...],
    "skipped": {case: why}}, the case to look at first on top. A case whose summary cannot be read
    is skipped and named. Raises MetaSSLError for an unknown strategy.
    """
    chosen = get_strategy(strategy)
    waiting = {case.id for case in project.unlabelled_cases()}
    ranked, skipped = [], {}
    for case_id in round.predicted_cases():
        if case_id not in waiting:
            continue
        path = round.prediction(case_id).summary
        try:
            scored = chosen.score(read_json(path, f"the summary of case {case_id}"))
        except MetaSSLError as error:
            skipped[case_id] = str(error)
            continue
        except (KeyError, TypeError, ValueError) as error:
            skipped[case_id] = f"the summary of case {case_id} is damaged: {path} ({error!r})"
            continue
        if not math.isfinite(scored.score):
            skipped[case_id] = f"the summary of case {case_id} gives no finite score: {path}"
            continue
        ranked.append(
            {
                "case": case_id,
                "score": scored.score,
                "parts": scored.parts,
                "reason": scored.reason,
            }
        )
    ranked.sort(key=lambda entry: (-entry["score"], entry["case"]))
    result = {"strategy": chosen.name, "cases": ranked, "skipped": skipped}
    write_json(round.ranking_path, result)
    return result
