"""What must be as before after a worker was killed, and what a round that went on must have come to."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from metassl.files import MetaSSLError, read_json, sha256_of
from metassl.files.atomic import TEMPORARY
from metassl.imaging import read_labels
from metassl.jobs import JobStatus
from metassl.networks.checkpoint import load_checkpoint
from metassl.project import Project, Round


def kept_state(project: Project, at_work: Round) -> dict[str, str]:
    """{what: hash of its content}: every version of every label, and every file of all rounds but the one at work."""
    found = {}
    for path in sorted((project.path / "labels").rglob("*.nrrd")):
        found[str(path.relative_to(project.path))] = hashlib.sha256(read_labels(path, path.name)[0]).hexdigest()
    for case in project.cases.values():
        if case.label_version is not None:
            label = project.read_label(case.id, case.label_version)[0]
            found[f"label of {case.id}"] = hashlib.sha256(label).hexdigest()
            found[f"state of {case.id}"] = case.state
    for former in project.rounds():
        if former != at_work:
            files = [path for path in sorted(former.path.rglob("*")) if path.is_file()]
            found |= {str(path.relative_to(project.path)): sha256_of(path) for path in files}
    return found


def problems_after_kill(path: Path, number: int, before: dict[str, str], status: JobStatus) -> list[str]:
    """What is not as it must be just after a kill; [] when all is well."""
    try:
        project = Project.open(path)
        found = project.round(number)
        after = kept_state(project, found)
        wrong = [f"{what} is not as before" for what in before if after.get(what) != before[what]]
        for checkpoint in (found.last_checkpoint_path, found.best_path, found.model_path):
            if checkpoint.exists():
                load_checkpoint(checkpoint)
        for case_id in found.predicted_cases():
            paths = found.prediction(case_id)
            read_json(paths.summary, "the summary")
            read_labels(paths.segmentation, case_id)
            read_labels(paths.regions, case_id)
        for document in (found.record_path, found.plan_path, found.ranking_path):
            if document.exists():
                read_json(document, document.name)
    except MetaSSLError as error:
        return [str(error)]
    if status.state != "interrupted" or "killed" not in status.message or str(path) not in status.hint:
        wrong.append(f"the status says {status.state}: {status.message} ({status.hint})")
    return wrong


def problems_at_end(found: Round, status: JobStatus, reference: Round | None) -> list[str]:
    """What is wrong with a round that was killed and went on; [] when it is like one that nobody disturbed."""
    if status.state != "finished":
        return [f"round {found.number} does not finish: {status.state}: {status.message}"]
    left = [path.name for path in found.checkpoints.glob(f"{TEMPORARY}*")]
    wrong = [f"half-written checkpoints are left: {', '.join(left[:3])}"] if left else []
    return wrong if reference is None else wrong + _differences(found, reference)


def _differences(found: Round, reference: Round) -> list[str]:
    wrong = []
    for name in ("last_checkpoint_path", "model_path"):
        if different := _different(_tensors(getattr(found, name)), _tensors(getattr(reference, name))):
            wrong.append(f"{name} of round {found.number} differs in {', '.join(different[:3])}")
    if found.predicted_cases() != reference.predicted_cases():
        wrong.append(f"predicted are {found.predicted_cases()}")
    for case_id in reference.predicted_cases():
        for name in ("segmentation", "regions"):
            ours, theirs = (getattr(each.prediction(case_id), name) for each in (found, reference))
            if not np.array_equal(read_labels(ours, case_id)[0], read_labels(theirs, case_id)[0]):
                wrong.append(f"the {name} of {case_id} is another one")
    ours, theirs = (read_json(each.ranking_path, "the ranking") for each in (found, reference))
    if ours != theirs:
        wrong.append("the ranking is another one")
    return wrong


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint by their place in it."""
    found: dict[str, torch.Tensor] = {}

    def walk(name: str, value: object) -> None:
        if isinstance(value, torch.Tensor):
            found[name] = value
        elif isinstance(value, dict):
            for key, entry in value.items():
                walk(f"{name}.{key}", entry)
        elif isinstance(value, list | tuple):
            for index, entry in enumerate(value):
                walk(f"{name}.{index}", entry)

    walk("", load_checkpoint(path))
    return found


def _different(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> list[str]:
    if ours.keys() != theirs.keys():
        return sorted(ours.keys() ^ theirs.keys())
    return [name for name in ours if not torch.equal(ours[name], theirs[name])]
