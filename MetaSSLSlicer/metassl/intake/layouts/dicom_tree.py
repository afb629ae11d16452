"""DICOM series in a tree of folders or in one: each is a case, named after its folder and never the patient."""

from __future__ import annotations

from metassl.imaging import dicom
from metassl.imaging.reader import quiet
from metassl.project.cases import make_case_id
from metassl.project.words import count

from ..found import Discovery, FoundCase
from ..tree import Tree


def find(tree: Tree) -> Discovery | None:
    """The image series; what is no image, or no volume, is told by what it is."""
    found = Discovery([])
    for folder in tree.dicom_folders():
        with quiet():
            described = dicom.describe_series(tree.path(folder))
        series = [each for each in described if not each.reason]
        base = make_case_id(folder.replace("/", "_") or tree.root.resolve().name)
        for number, each in enumerate(series, start=1):
            # Of several series one file stands for each: the folder alone would be ambiguous.
            name, image = (base, tree.path(folder)) if len(series) == 1 else (f"{base}_{number}", each.files[0])
            about = ", ".join(filter(None, (each.modality, count(each.count, "slice"), each.description)))
            found.cases.append(FoundCase(name, [image], about=about))
        for each in described:
            found.warnings += each.notes
            found.left_out += [(path, each.reason) for path in each.files if each.reason]
            found.left_out += [(path, "a localizer") for path in each.left_out]
    return found if found.cases or found.left_out else None
