"""One way for all formats: beside the folder that the user named, case by case, and there only when all is written."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from metassl.files.atomic import TEMPORARY, flush_folder, make_folder, retry_on_windows, writing
from metassl.files.errors import MetaSSLError, ProjectError, WriteError
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import read_labels
from metassl.project.cases import Case
from metassl.project.project import Project
from metassl.project.rounds import Round
from metassl.project.words import count

from ..choices.exporters import EXPORTERS, Exported, Report
from ..choices.plugins import load


class Export:
    """One export under way: what the function of a format is called with.

    folder: an empty folder to write into; it takes the place of the one that the user named when the function returns.
    labelled, predicted: the cases to write, by id; a prediction is that of the round which is reviewed. result: what
    the function adds to: the ids of the cases that it wrote, and `notes`, sentences on what is not as in the project.
    `result.folder` is the folder that the user named.

    A format with one file for each label and prediction is a call of `write_each`; others go over `cases` and put what
    they do for one into `attempt`.
    """

    def __init__(self, project: Project, folder: Path, what: Sequence[str], report: Report, result: Exported) -> None:
        self.project, self.folder, self.result = project, folder, result
        self.all_cases = project.cases
        labelled = (case for case in self.all_cases.values() if case.is_labelled and "labels" in what)
        self.labelled: dict[str, Case] = {case.id: case for case in labelled}
        self.predicted: dict[str, Round] = project.predictions() if "predictions" in what else {}
        self._report = report

    @property
    def chosen(self) -> list[Case]:
        """The cases with anything to write, by id."""
        return [case for case in self.all_cases.values() if case.id in self.labelled or case.id in self.predicted]

    def cases(self, cases: Sequence[Case] | None = None) -> Iterator[Case]:
        """These cases, else the chosen ones, with progress."""
        cases = self.chosen if cases is None else cases
        for place, case in enumerate(cases, start=1):
            yield case
            self._report(place, len(cases), case.id)

    @contextmanager
    def attempt(self, case: str) -> Iterator[None]:
        """A block about one case. What is wrong with the case is noted in `result.failed` and ends the block alone;
        what cannot be written (OSError; a full disk) ends the export."""
        try:
            with writing(self.folder):
                yield
        except WriteError:
            raise
        except MetaSSLError as error:
            self.result.failed[case] = str(error)

    def write_each(self, write: Callable[[Path, Case, np.ndarray, Geometry], object]) -> None:
        """Call `write` for each label and each prediction, with labels/CASE or predictions/CASE in the folder, to which
        it adds the suffix, the case, the array (uint8, z y x; 255 where not annotated) and its grid."""
        result = self.result
        kinds = (
            ("labels", self.labelled, self.label, result.labels),
            ("predictions", self.predicted, self.prediction, result.predictions),
        )
        for case in self.cases():
            for kind, chosen, read, written in kinds:
                if case.id in chosen:
                    with self.attempt(case.id):
                        array, grid = read(case.id)
                        write(make_folder(self.folder / kind) / case.id, case, array, grid)
                        written.append(case.id)
        for case in map(self.labelled.__getitem__, result.labels):
            if unknown := self.unknown_in(case):
                told = f"its label says nothing of {unknown}, which its background may hold"
                result.notes.append(f"case {case.id}: {told}")

    def unknown_in(self, case: Case) -> str:
        """The names of the structures that its label says nothing of, "" for none."""
        missing = case.missing(self.project.values)
        return ", ".join(label.name for label in self.project.labels if label.value in missing)

    def label(self, case: str) -> tuple[np.ndarray, Geometry]:
        """The accepted annotation: uint8 (z, y, x), 255 where not annotated. Raises LabelError."""
        return self.project.read_label(case)

    def prediction(self, case: str) -> tuple[np.ndarray, Geometry]:
        """The prediction that is reviewed: uint8 (z, y, x). Raises LabelError."""
        return read_labels(self.predicted[case].prediction(case).segmentation, case)


def export_project(
    project: Project,
    folder: Path,
    what: Sequence[str] | None = None,
    report: Report = lambda done, total, case: None,
    format: str = "nifti",
) -> Exported:
    """Write the project in one of the formats EXPORTERS into `folder`, which must be new or empty.

    what: "labels", "predictions" or both; None for all that the format takes. A case whose files are damaged is named
    in the result, and the rest go on. Whatever ends the export before its end, there is no folder of that name then.
    Raises ProjectError when the folder holds anything, cannot be written, or there is nothing to write.
    """
    chosen = EXPORTERS[format]
    what = tuple(chosen.takes if what is None else what)
    if unknown := sorted(set(what) - set(chosen.takes)):
        takes = " and ".join(chosen.takes) or "the model, and neither labels nor predictions"
        raise ProjectError(f"cannot export {', '.join(unknown)}: {format} takes {takes}")
    result = Exported(_absolute(folder))
    result.notes += [
        f"{path} is what an export that was stopped left behind, unless one is at work: remove it"
        for path in result.folder.parent.glob(f"{TEMPORARY}*-{glob.escape(result.folder.name)}")
    ]
    _refuse_used(result.folder)
    temporary = result.folder.with_name(f"{TEMPORARY}{secrets.token_hex(6)}-{result.folder.name}")
    export = Export(project, temporary, what, report, result)
    if chosen.takes and not (export.labelled or export.predicted):
        raise ProjectError(f"project {project.path} has no {' and no '.join(what)} to export yet")
    if unseen := sum(case.unseen for case in export.labelled.values()):
        result.notes.append(f"{count(unseen, 'label')} accepted unseen: predictions that nobody looked at")
    if partly := sum(case.looked is not None for case in export.labelled.values()):
        result.notes.append(f"{count(partly, 'label')} accepted after a look at some slices: nobody saw the others")
    with _made_whole(temporary, result.folder):
        write: Callable[[Export], None] = load(chosen.path)
        write(export)
        if result.failed and not (result.labels or result.predictions):
            raise ProjectError(f"nothing could be exported: {'; '.join(list(result.failed.values())[:3])}")
    return result


@contextmanager
def _made_whole(temporary: Path, folder: Path) -> Iterator[None]:
    """Inside the block there is the folder `temporary`; after it that takes the place of `folder`, or is removed."""
    try:
        make_folder(temporary)
        yield
        _refuse_used(folder)
        with writing(folder):
            if folder.exists():
                folder.rmdir()
            retry_on_windows(lambda: os.rename(temporary, folder))
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, WriteError):
            raise WriteError(str(error).replace(str(temporary), str(folder))) from error
        raise
    flush_folder(folder.parent)


def _refuse_used(folder: Path) -> None:
    with writing(folder):
        if not folder.exists():
            return
        if not folder.is_dir():
            raise ProjectError(f"{folder} is a file: choose a new or empty folder")
        if any(folder.iterdir()):
            raise ProjectError(f"{folder} is not empty: choose a new or empty folder, as an export overwrites nothing")
        if os.path.ismount(folder) or folder == Path.cwd() or not os.access(folder.parent, os.W_OK):
            inside = folder / "out"
            raise ProjectError(f"{folder} cannot be replaced by a new folder: choose one inside it, such as {inside}")


def _absolute(folder: Path) -> Path:
    return Path(folder).expanduser().resolve()
