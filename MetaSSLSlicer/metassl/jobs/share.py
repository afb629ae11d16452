"""A prediction that tasks share, in rounds/NNNN/shares: which cases, which tasks, and how far they are."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from metassl.files.atomic import make_folder, writing
from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json, write_json
from metassl.files.json_kinds import text, texts, whole
from metassl.project.cases import now
from metassl.project.rounds import Round

from .claims import Standings, look, reason_of
from .record import JobRecord

_KINDS = {
    "cases": texts,
    "tasks": whole,
    **dict.fromkeys(("device", "created", "launcher", "machine", "job"), text),
}


@dataclass(frozen=True)
class Share:
    """path: its folder. launcher, machine, job: of the tasks, as in a JobRecord."""

    path: Path
    cases: tuple[str, ...]
    tasks: int
    device: str = "auto"
    created: str = ""
    launcher: str = ""
    machine: str = ""
    job: str = ""

    @property
    def claims(self) -> Path:
        """Who does what, and what is done, see `Claims`."""
        return self.path / "claims"

    @property
    def logs(self) -> Path:
        """One a task."""
        return self.path / "logs"

    @property
    def number(self) -> int:
        """It counts from 1 in each round."""
        return int(self.path.name)

    @property
    def ended_path(self) -> Path:
        """There once its cases are marked as predicted, and ranked."""
        return self.path / "ended"

    @property
    def record(self) -> JobRecord:
        """By which its machine is asked how the tasks stand."""
        return JobRecord.elsewhere(self.launcher, self.machine, self.job)

    def standings(self) -> Standings:
        """How far the tasks are."""
        return look(self.claims)

    def failures(self, cases: set[str]) -> dict[str, str]:
        """Why these have failed."""
        return {case: reason_of(self.claims, case) for case in sorted(cases)}

    def launched(self, record: JobRecord) -> Share:
        """With the job that predicts it, as is written down."""
        share = replace(self, launcher=record.launcher, machine=record.machine, job=record.job)
        share.write()
        return share

    def write(self) -> None:
        """Write share.json."""
        content = {name: value for name, value in asdict(self).items() if name != "path"}
        write_json(self.path / "share.json", {**content, "cases": list(self.cases)})

    @staticmethod
    def make(found: Round, cases: list[str], tasks: int, device: str = "auto") -> Share:
        """A new one, of no job yet."""
        folder = make_folder(found.path / "shares", parents=False)
        number = max((share.number for share in shares_of(found)), default=0)
        while True:
            number += 1
            path = folder / f"{number:04d}"
            with writing(path):
                try:
                    path.mkdir()
                    break
                except FileExistsError:
                    continue
        share = Share(path, tuple(cases), tasks, device, now())
        make_folder(share.claims, parents=False)
        make_folder(share.logs, parents=False)
        share.write()
        return share

    @staticmethod
    def read(path: Path) -> Share:
        """What share.json says. Raises ProjectError."""
        document = read_json(path / "share.json", "the record of the shared prediction", _KINDS, "predict again")
        known = {name: document[name] for name in _KINDS if document.get(name) is not None}
        if "cases" not in known or "tasks" not in known:
            raise ProjectError(f"{path / 'share.json'} does not name its cases: predict again")
        return Share(path, **{**known, "cases": tuple(known["cases"])})


def shares_of(found: Round) -> list[Share]:
    """The shared predictions of a round, the oldest first; those half-made are left out."""
    folder = found.path / "shares"
    if not folder.is_dir():
        return []
    return [Share.read(path) for path in sorted(folder.iterdir()) if (path / "share.json").is_file()]
