"""Which images a round was made of, by their hashes: inputs.json, and what to do when one was replaced since."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metassl.project.errors import ImageError
from metassl.project.files import write_json
from metassl.project.image_hashes import image_hashes, refuse_replaced, replaced_image
from metassl.project.project import Project
from metassl.project.round_files import read_inputs
from metassl.project.rounds import Round


class ImageRecord:
    """inputs.json of a round. What it says of a case stays as it was when the round first read it."""

    def __init__(self, project: Project, found: Round) -> None:
        self.path, self.number = found.inputs_path, found.number
        self.cases = project.cases
        self.images: dict[str, list[str]] = read_inputs(found)

    def check(self, case_id: str, paths: Sequence[Path], version: str | None) -> None:
        """ImageError when an image is missing, or is not the one that this round, or its annotation, belongs to."""
        hashes = image_hashes(paths, case_id)
        if replaced := replaced_image(paths, hashes, self.images.get(case_id, [])):
            raise ImageError(
                f"case {case_id}: {replaced} was replaced after round {self.number:04d} had begun; put the former "
                "file back, or start a new round"
            )
        case = self.cases.get(case_id)
        drawn_on = case.image_hashes if case is not None and case.label_version == version else []
        if version is not None:
            refuse_replaced(case_id, paths, hashes, drawn_on)
        self.images[case_id] = hashes

    def write(self) -> None:
        """Write inputs.json. Raises ProjectError."""
        write_json(self.path, {"images": self.images})
