"""DICOM series in a tree of folders or in one: each is a case, named after its folder and never the patient."""

from __future__ import annotations

from metassl.imaging import dicom
from metassl.imaging.reader import quiet
from metassl.project.cases import make_case_id

from .found import Discovery, FoundCase
from .tree import Tree


def find(tree: Tree) -> Discovery | None:
    """The image series; what is no image, or no volume, is told by what it is."""
    found = Discovery([])
    for folder in tree.dicom_folders():
        with quiet():
            series = dicom.find_series(tree.path(folder))
        base = make_case_id(folder.replace("/", "_") or tree.root.resolve().name)
        if len(series) == 1:
            found.cases.append(FoundCase(base, [tree.path(folder)]))
        else:  # one file stands for its series: the folder alone would be ambiguous
            found.cases += [FoundCase(f"{base}_{n}", [files[0]]) for n, files in enumerate(series, start=1)]
    return found if found.cases else None
