"""labels/CASE.nrrd is a copy of the accepted annotation, for other programs: is it still, and if not, keep theirs."""

from __future__ import annotations

import filecmp
from pathlib import Path

from .annotations import history_name, version_of
from .errors import MetaSSLError
from .files import copy_file, sha256_of
from .images import read_labels


def is_outside_edit(copy: Path, history: Path, case_id: str, accepted: str | None) -> bool:
    """Whether `copy` is there and holds an annotation, readable or not, that the folder `history` does not.

    accepted: the version of the case's label. The file is read only when it is not the very copy of that.
    """
    if not copy.is_file():
        return False
    try:
        known = history / history_name(case_id, accepted) if accepted else None
        if known is not None and known.is_file() and filecmp.cmp(copy, known, shallow=False):
            return False
        return not (history / history_name(case_id, version_of(*read_labels(copy, case_id)))).is_file()
    except (MetaSSLError, OSError):
        return True


def keep_outside_edit(copy: Path, history: Path, case_id: str, accepted: str | None) -> None:
    """Before `copy` is written over: what another program made of it goes to CASE.outside-HASH.nrrd in `history`."""
    if is_outside_edit(copy, history, case_id, accepted):
        kept = history / f"{case_id}.outside-{sha256_of(copy)[:16]}.nrrd"
        copy_file(copy, kept)
