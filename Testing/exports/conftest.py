"""Real images for the round trips; skipped, with a reason, where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from metassl.project import Case, LabelDefinition, Project

TERMINOLOGY = "Anatomic codes~SCT^123037004^Anatomical Structure~SCT^87953007^{}~^^~Anatomic codes~^^~^^"
STRUCTURES = {1: ("Anterior", "#AA0102"), 2: ("Posterior", "#00BB03")}


@pytest.fixture(scope="session")
def hippocampi(tmp_path_factory) -> Project:
    """Twenty real hippocampi, all labelled, of two structures with colours and terminology."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "data" / "Task04_Hippocampus"
    if not folder.is_dir():
        pytest.skip(f"the real images are not here: {folder}")
    structures = [
        LabelDefinition(value, name, color, TERMINOLOGY.format(name)) for value, (name, color) in STRUCTURES.items()
    ]
    labels = sorted((folder / "labelsTr").glob("hippocampus_*.nii.gz"))[:20]
    with Project.making(tmp_path_factory.mktemp("hippocampi") / "project", "Hippocampi", structures, ["MRI"]) as made:
        names = {path.name.removesuffix(".nii.gz"): path for path in labels}
        made.add_cases([Case(name, [str(folder / "imagesTr" / path.name)]) for name, path in names.items()])
    for name, path in names.items():
        made.add_label(name, path, names={1: "Anterior", 2: "Posterior"})
    return made
