"""Which images a round was made of, by their hashes: inputs.json, and what to do when one was replaced since."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metassl.project.errors import ImageError
from metassl.project.files import read_json, write_json
from metassl.project.image_hashes import image_hashes, replaced_image
from metassl.project.project import Project
from metassl.project.rounds import Round


class ImageRecord:
    """inputs.json of a round. What it says of a case stays as it was when the round first read it."""

    def __init__(self, project: Project, found: Round) -> None:
        self.path, self.number = found.path / "inputs.json", found.number
        self.cases = project.cases
        images = read_json(self.path, "the inputs").get("images") if self.path.is_file() else None
        self.images: dict[str, list[str]] = {}
        if isinstance(images, dict):  # a text in the place of a list was written by a former version
            self.images = {case: known for case, known in images.items() if isinstance(known, list)}

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
        if version is not None and (replaced := replaced_image(paths, hashes, drawn_on)):
            raise ImageError(
                f"case {case_id}: {replaced} was replaced after it was annotated; put the former file back, or look "
                "whether the annotation fits and accept it again"
            )
        self.images[case_id] = hashes

    def write(self) -> None:
        """Write inputs.json. Raises ProjectError."""
        write_json(self.path, {"images": self.images})
