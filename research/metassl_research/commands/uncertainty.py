"""Compare ways of telling where the segmentation is wrong, on the same model and the same cases.

The learnt error probability, the entropy of the pair's mean, its mutual
information and the region map, against the entropy of one network, MC
dropout, test-time augmentation and a deep ensemble of two, all within 3 voxels
of the structures, with what each costs in passes through a network. The truth
of CASE is DIR/CASE.nii.gz (or .nii, .nrrd, .mha, ...).

  metassl uncertainty hippocampus --truth Task04_Hippocampus/labelsTr
  metassl uncertainty hippocampus --truth Task04_Hippocampus/labelsTr --second 2 --out uncertainty.json

MC dropout drops channels in front of every upsampling stage, because the
networks have no dropout layers of their own; most were not trained with it.
--second names the other model of the ensemble: one that was trained apart, as
`metassl train --fresh --new-round --seed 1` does.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from metassl.commands.shared.console import Console
from metassl.commands.shared.options import add_device_option, add_json_option
from metassl.files.errors import ProjectError

if TYPE_CHECKING:
    from metassl.project import Project

SUMMARY = "compare ways of finding the errors without the truth"
CHAPTER = "Measure and show the result:"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("--truth", type=Path, metavar="DIR", help="true annotations, a file for each case")
    parser.add_argument(
        "--cases",
        metavar="test|validation|unlabelled|all|FILE",
        help="which cases (default: the test cases if there are any, else all without a label); "
        "FILE has one case name a line; cases that were trained on are left out",
    )
    parser.add_argument("--second", metavar="ROUND|FILE", help="another round, or a model.pt, for the deep ensemble")
    parser.add_argument("--out", type=Path, metavar="FILE", help="keep the figures as JSON")
    add_device_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    from metassl.commands.shared.bar import ProgressBar
    from metassl.commands.shared.measuring import choose, new_to_the_model
    from metassl.files import write_json
    from metassl.inference.model import TrainedModel
    from metassl.networks.device import choose_device
    from metassl.project import Project
    from metassl.project.round_choice import model_round
    from metassl.project.rounds import trained_on

    from metassl_research.uncertainty.compare import compare
    from metassl_research.uncertainty.table import format_comparison

    if arguments.out is not None and not arguments.out.parent.is_dir():
        raise ProjectError(f"--out {arguments.out}: there is no folder {arguments.out.parent}")
    project = Project.open(arguments.project)
    found = model_round(project)
    choice = choose(project, arguments.truth, arguments.cases)
    truths, trained = new_to_the_model(choice.truths, trained_on(found), found, console)
    device = choose_device(arguments.device)
    second_path = _second(project, arguments.second)
    model = TrainedModel.load(found.model_path, device)
    second = TrainedModel.load(second_path, device) if second_path is not None else None
    cases = {case_id: (project.image_paths(case_id), truth) for case_id, truth in truths.items()}
    bar = ProgressBar(sys.stderr)
    try:
        result = compare(
            model,
            cases,
            project.labels,
            second,
            lambda done, case: bar.show("comparing", done, len(cases), details=case),
        )
    finally:
        bar.close()
    result = {
        "round": found.number,
        "group": choice.group,
        "second": second_path and str(second_path),
        "trained_on": trained,
        **result,
    }
    if "validation" == choice.group and model.error_model is not None:
        console.warn("the error probability was learnt on the validation cases: it looks better on them than it is")
    console.say(format_comparison(result))
    if arguments.out is not None:
        write_json(arguments.out, result)
    console.result(result)
    return 0 if result["cases"] and not result["failed"] else 1


def _second(project: Project, text: str | None) -> Path | None:
    if text is None:
        return None
    path = project.round(int(text)).model_path if text.isdecimal() else Path(text)
    if not path.is_file():
        raise ProjectError(f"--second {text}: there is no model {path}")
    return path
