"""What of a project another computer needs to train a round, and the sending of what has changed of it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from metassl.files.errors import ErrorCode, ImageError, ProjectError
from metassl.files.path_map import PathMap
from metassl.imaging.hashes import channel_files, file_hash
from metassl.jobs.process import host_name
from metassl.project.annotations import history_path
from metassl.project.documents import write_cases
from metassl.project.project import Project
from metassl.project.rounds import Round, list_rounds

from .remote import Remote

KEPT_THERE = ("status.json", "events.jsonl", "log.txt", "job.json", "stop", "wanted", "mirror.json")
"""Files of a round that each computer has of its own. Of a round that was begun here, the first two go there once."""
_BEGUN_HERE = KEPT_THERE[:2]
_PAIRED = {".mhd": (".raw", ".zraw"), ".nhdr": (".raw", ".raw.gz"), ".hdr": (".img", ".img.gz")}
_REVIEWED = ("accepted", "corrected")


@dataclass
class Cargo:
    """Files by the folder there that they go to: {root: {name from there on: path here}}."""

    files: dict[str, dict[str, Path]] = field(default_factory=dict)

    def add(self, root: str, name: str, path: Path) -> None:
        """One file; what is not there any more is left out, and missed where it is used."""
        if path.is_file():
            self.files.setdefault(root, {})[name.replace("\\", "/")] = path


def project_there(remote: Remote, project: Project) -> str:
    """The folder there that the project is copied to: its own, whoever else copies one of that name."""
    words = re.sub(r"[^\w.-]+", "_", project.path.name)[:40]
    return remote.path("projects", host_name(), f"{words}-{_short_hash(str(project.path))}")


def paths_between(remote: Remote, project: Project) -> PathMap:
    """What the project and its images are called there."""
    outside = {Path(image).anchor for case in project.cases.values() for image in case.images if _is_outside(image)}
    images = [(anchor, remote.path("images", host_name(), _drive(anchor))) for anchor in sorted(outside)]
    return PathMap.of([(str(project.path), project_there(remote, project)), *images])


def cargo_of(project: Project, found: Round, paths: PathMap, begun_there: bool) -> Cargo:
    """All that the worker of the round may read. begun_there: the round's own files there are the newer ones."""
    cargo, cases, there = Cargo(), project.cases, paths.there(str(project.path))
    used = {*found.record.get("unlabelled", ()), *found.record.get("labels", {}), *found.record.get("validation", {})}
    used |= {case.id for case in project.unlabelled_cases()}
    for case_id in sorted(used & cases.keys()):
        for image in cases[case_id].images:
            _add_image(cargo, project, image, paths)
    versions: dict[str, set[str | None]] = {case.id: {case.label_version} for case in cases.values()}
    for case_id, version in (*found.record.get("labels", {}).items(), *found.record.get("validation", {}).items()):
        versions.setdefault(case_id, set()).add(version)
    for case_id in sorted(versions):
        for version in filter(None, versions[case_id]):
            path = history_path(project.path, case_id, version)
            cargo.add(there, f"labels/.history/{path.name}", path)
    for label in sorted((project.path / "labels").glob("*.nrrd")):
        cargo.add(there, f"labels/{label.name}", label)
    reviewed = {case.id for case in cases.values() if case.state in _REVIEWED}
    for other in list_rounds(project.path / "rounds"):
        if other != found:
            _add_former_round(cargo, there, other, found, reviewed)
        elif not begun_there:
            _add_round(cargo, there, found)
    cargo.add(there, f"rounds/{found.path.name}/round.json", found.record_path)
    cargo.add(there, "project.json", project.path / "project.json")
    return cargo


def send(
    remote: Remote, project: Project, cargo: Cargo, there: str, progress: Callable[[int, int], object]
) -> tuple[int, int]:
    """Send what is not there yet, each file whole or not at all; how many files, how many bytes.

    progress(sent, all), in bytes. Raises as `Remote.ask`; ProjectError when it has no room there.
    """
    with TemporaryDirectory() as folder:
        cases = Path(folder, "cases.json")  # as they are now: somebody may label meanwhile
        write_cases(cases, project.cases)
        cargo.add(there, "cases.json", cases)
        todo = [(root, name) for root, files in cargo.files.items() for name in _different(remote, root, files)]
        sizes = {key: cargo.files[key[0]][key[1]].stat().st_size for key in todo}
        total, sent = sum(sizes.values()), 0
        free = remote.about["free"]
        if total > free:
            raise ProjectError(
                f"the disk of {remote.machine.name} has {free / 1e9:.1f} GB free at {remote.folder}, and "
                f"{total / 1e9:.1f} GB are to be copied there: make room, or name another folder of it",
                ErrorCode.DISK_FULL,
            )
        progress(0, total)
        for root, name in todo:
            for part in remote.put(cargo.files[root][name], root, name):
                progress(sent + part, total)
            sent += sizes[root, name]
    return len(todo), total


def _different(remote: Remote, root: str, files: dict[str, Path]) -> list[str]:
    """The names of those that are not there as they are here: of other time, then compared by their hash."""
    stats = {name: path.stat() for name, path in files.items()}
    asked = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()]
    names = [name for part in _parts(asked) for name in remote.ask("different", root=root, files=part)[0]["names"]]
    different = []
    for part in _parts(names, 50):
        known = remote.ask("hashes", root=root, names=part)[0]["hashes"]
        same = [name for name in part if name in known and known[name] == file_hash(files[name])]
        remote.ask("stamp", root=root, files=[(name, stats[name].st_mtime_ns) for name in same])
        different += [name for name in part if name not in same]
    return different


def _parts(items: list, size: int = 2000) -> Iterator[list]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _add_image(cargo: Cargo, project: Project, image: str, paths: PathMap) -> None:
    path = project.path / image
    try:
        files = channel_files(path)
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror or error}") from error
    for suffix in _PAIRED.get(path.suffix.lower(), ()):
        files = [*files, path.with_suffix(suffix)]
    for file in files:
        if _is_outside(image):
            name = file.relative_to(file.anchor).as_posix()
            cargo.add(paths.there(file.anchor), name, file)
        else:
            name = Path(os.path.relpath(file, project.path)).as_posix()
            cargo.add(paths.there(str(project.path)), name, file)


def _add_round(cargo: Cargo, there: str, found: Round) -> None:
    for path in sorted(found.path.rglob("*")):
        name = path.relative_to(found.path).as_posix()
        if path.name[0] != "." and (name in _BEGUN_HERE or name not in KEPT_THERE):
            cargo.add(there, f"rounds/{found.path.name}/{name}", path)


def _add_former_round(cargo: Cargo, there: str, other: Round, found: Round, reviewed: set[str]) -> None:
    """Its figures; its model, where this round goes on from it; its predictions of cases that were corrected."""
    place = f"rounds/{other.path.name}"
    for path in sorted(other.path.glob("*.json")):
        if path.name not in KEPT_THERE:
            cargo.add(there, f"{place}/{path.name}", path)
    if other.number == found.record.get("parent"):
        cargo.add(there, f"{place}/checkpoints/{other.model_path.name}", other.model_path)
    for case_id in other.predicted_cases():
        if case_id in reviewed:
            paths = other.prediction(case_id)
            for path in (*paths.maps, paths.summary):
                cargo.add(there, f"{place}/predictions/{case_id}/{path.name}", path)


def _is_outside(image: str) -> bool:
    return os.path.isabs(image)


def _drive(anchor: str) -> str:
    """A folder's name for a drive or share; of "/" there is but one."""
    return re.sub(r"\W+", "_", anchor).strip("_") or "root"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
