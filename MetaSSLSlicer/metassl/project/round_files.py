"""What a round has written and others read: each file is checked once, here, and wrong ones are named in a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from metassl.files.json_files import read_json
from metassl.files.json_kinds import (
    by_name,
    either,
    having,
    list_of,
    maybe,
    number,
    share,
    text,
    texts,
    truth,
    whole,
    whole_of,
)

from .effort.expected import IS_EFFORT
from .former_names import renamed
from .records import LARGEST_OFFSET, ErrorRates, OperatingPoint, Ranking, Summary
from .regions import KEYS as REGIONS
from .rounds import Round
from .structures import LabelDefinition

_counts = whole_of(**dict.fromkeys(REGIONS, whole))
_rates = by_name(maybe(share))
_dice = whole_of(mean=share, interval=list_of(share, 2))
_row = whole_of(**dict.fromkeys(("error_rate", "share_of_volume", "share_of_errors"), maybe(share)))
_table = whole_of(**dict.fromkeys(REGIONS, _row))
_score = whole_of(
    **dict.fromkeys(("auroc", "auprc", "ece"), maybe(number)), errors_in_flagged_share=by_name(maybe(share))
)

_SUMMARY = {
    "case": text,
    **dict.fromkeys(("round", "step", "structure_voxels"), whole),
    **dict.fromkeys(("voxels", "band_voxels"), _counts),
    "volume_ml": by_name(number),
    "volume_range_ml": by_name(list_of(number, 2)),
    "volume_level": share,
    **dict.fromkeys(("mean_uncertainty", "mutual_information", "voxel_ml"), number),
    "uncertainty": by_name(share),
    "error_rates": _rates,
    "class_error_rates": by_name(_rates),
    "dice_features": by_name(by_name(maybe(number))),
    "predicted_dice": lambda value: _dice(value) and having(classes=by_name(_dice))(value),
    "classes": by_name(by_name(number)),
    "features": list_of(number),
    "image_hashes": texts,
    "effort": IS_EFFORT,
}


def _dice_model(value: Any) -> bool:
    if not whole_of(slopes=by_name(number), classes=by_name(by_name(number)), level=share, cases=whole)(value):
        return False
    if not whole_of(interval=whole_of(mean=number, classes=by_name(number)))(value):
        return False
    complete = all({*value["slopes"], "dice"} <= centre.keys() for centre in value["classes"].values())
    return complete and value["classes"].keys() <= value["interval"]["classes"].keys()


_VOLUME_MODEL = whole_of(widening=by_name(number), level=share, cases=whole)
_ERROR_RATES = {
    **dict.fromkeys(("validation_cases", "corrected_cases"), whole),
    "rates": _rates,
    "class_rates": by_name(_rates),
    "volume": whole_of(regions=_table, flagged=_row),
    "band": whole_of(within_voxels=whole, regions=_table, classes=by_name(_table)),
    "uncertainty": lambda value: _score(value) and having(ece_calibrated=number)(value),
    "dice_model": _dice_model,
    "volume_model": _VOLUME_MODEL,
    "effort_model": whole_of(**dict.fromkeys(("tolerance_mm", "scale", "clump_mm2"), number), cases=whole),
    "error_model": either(whole_of(kept=truth, error_probability=_score), lambda value: value == {"kept": False}),
}


def _offset(value: Any) -> bool:
    return number(value) and abs(value) <= LARGEST_OFFSET


_OPERATING_POINT = {
    "used": truth,
    "offsets": lambda value: by_name(_offset)(value) and all(name.isdecimal() for name in value),
    "reason": text,
    "cases": whole,
    **dict.fromkeys(("gain", "error"), number),
    "one_piece": lambda value: by_name(whole)(value) and all(name.isdecimal() for name in value),
}
_ENTRY = whole_of(case=text, score=number)
_RANKING = {
    "strategy": text,
    "cases": list_of(lambda entry: _ENTRY(entry) and having(reason=text, parts=by_name(number), seconds=number)(entry)),
    "skipped": by_name(text),
    "names": by_name(whole),
}
_LABELLED = {"cases": by_name(having(volume_ml=by_name(number)))}
USUAL = whole_of(
    spacing_mm=list_of(number, 3),
    size_mm=list_of(number, 3),
    orientation=text,
    profile=list_of(list_of(number, 19)),
    distance=number,
)
"""What most images of a round are like, see `data.unlike.Usual`."""

_INPUTS = {
    "images": by_name(either(texts, text)),  # a former version wrote a text, which tells nothing now
    "notes": by_name(text),
    "usual": USUAL,
}


def read_summary(path: Path, case_id: str) -> Summary:
    """summary.json of a predicted case. Raises ProjectError."""
    return Summary.of(read_json(path, f"the summary of case {case_id}", _SUMMARY, "predict the case again", renamed))


def read_error_rates(found: Round) -> ErrorRates | None:
    """What was measured of the round's model; None before that. Raises ProjectError."""
    document = _optional(found.error_rates_path, "the table of error rates", _ERROR_RATES, "train a new round")
    return None if document is None else ErrorRates.of(document)


def read_operating_point(found: Round) -> OperatingPoint | None:
    """How that of the round's model was chosen; None before that. Raises ProjectError."""
    remedy = "delete it, as the model holds by what it predicts, or train a new round"
    document = _optional(found.operating_point_path, "the record of the operating point", _OPERATING_POINT, remedy)
    return None if document is None else OperatingPoint.of(document)


def read_ranking(found: Round, labels: Iterable[LabelDefinition] = ()) -> Ranking:
    """The ranking; an empty one before cases were ranked. Raises ProjectError.

    labels: the structures of the project, by whose present names it is told; without, by those of when it was made.
    """
    remedy = "run `metassl rank` to write it anew"
    made = Ranking.of(_optional(found.ranking_path, "the ranking", _RANKING, remedy) or {})
    return made.with_present_names({label.value: label.name for label in labels})


def read_labelled_cases(found: Round) -> dict[str, Any] | None:
    """What is known of the labelled cases, by case; None where a round did not write it. Raises ProjectError."""
    document = _optional(found.labelled_path, "the list of labelled cases", _LABELLED, "delete it")
    return None if document is None else document.get("cases")


def read_inputs(found: Round) -> dict[str, list[str]]:
    """The hashes of the images of each case that the round has read. Raises ProjectError."""
    document = _optional(found.inputs_path, "the record of the inputs", _INPUTS, "train a new round")
    images = (document or {}).get("images") or {}
    return {case: hashes for case, hashes in images.items() if isinstance(hashes, list)}


def read_notes(found: Round) -> tuple[dict[str, str], dict[str, Any] | None]:
    """What was odd about the images of the round: case → in words; and what most were like, as JSON. ProjectError."""
    document = _optional(found.inputs_path, "the record of the inputs", _INPUTS, "train a new round") or {}
    return document.get("notes") or {}, document.get("usual")


def _optional(path: Path, what: str, kinds: dict[str, Any], remedy: str) -> dict[str, Any] | None:
    return read_json(path, what, kinds, remedy, renamed) if path.exists() else None
