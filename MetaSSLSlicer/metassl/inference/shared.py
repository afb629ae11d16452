"""One of many tasks that predict the cases of a project together; see `metassl.jobs.claims`.

python -m metassl.inference.shared PROJECT ROUND SHARE [TASK]
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path

from metassl.files.errors import MetaSSLError
from metassl.files.path_map import PathMap
from metassl.inference.model import TrainedModel
from metassl.inference.predict import known_voxels, predict_into, predicted_by
from metassl.jobs.claims import LEASE_S, Claims
from metassl.jobs.process import host_name
from metassl.jobs.share import Share
from metassl.networks.device import choose_device
from metassl.project.project import Project
from metassl.project.round_files import read_error_rates
from metassl.project.rounds import Round
from metassl.selection.conclude import conclude

MOST_TRIES = 8
"""So many tasks may end on a case, or leave it as their time was up, before it is held to be the reason."""
LEFT = 75
"""The exit code of a task that was asked to leave."""


def predict_share(project: Project, found: Round, share: Share, task: int = 0, lease_s: float = LEASE_S) -> int:
    """Predict one case after the other until none is free; how many this task has done. Raises MetaSSLError."""
    model = TrainedModel.load(found.model_path, choose_device(share.device))
    measured = read_error_rates(found)
    owner = f"{host_name()} {os.getpid()} task {task}"
    first, count = len(share.cases) * (task % share.tasks) // share.tasks, 0
    with Claims(share.claims, share.cases, owner, lease_s) as claims:
        for case_id in claims.take(first):
            if claims.number >= MOST_TRIES:
                text = f"case {case_id}: {MOST_TRIES} tasks have ended on it: see {share.logs}"
                claims.failed(PathMap.of_worker().told(text))
                continue
            try:
                paths = found.prediction(case_id)
                if not predicted_by(paths, model.step):  # by a task that was lost a moment later
                    images, known = project.image_paths(case_id), known_voxels(project, case_id)
                    predict_into(model, case_id, images, paths, project.labels, found.number, measured, known=known)
            except MetaSSLError as error:
                claims.failed(PathMap.of_worker().told(str(error)))
            else:
                count += claims.done()
    return count


def main(arguments: list[str]) -> int:
    project = Project.open(Path(arguments[0]))
    found = project.round(int(arguments[1]))
    share = Share.read(found.path / "shares" / f"{int(arguments[2]):04d}")
    task = int(arguments[3]) if len(arguments) > 3 else 0

    def leave(*_: object) -> None:
        raise SystemExit(LEFT)

    for name in ("SIGTERM", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), leave)
    try:
        predict_share(project, found, share, task)
        if not share.ended_path.exists() and share.standings().over >= set(share.cases):
            conclude(project, found, share)  # the last one
    except MetaSSLError:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
