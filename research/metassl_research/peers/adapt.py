"""A model of another scanner, brought to this one: as it is, by nnU-Net's own fine-tuning, and by ours."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from metassl.files.errors import MetaSSLError
from metassl.intake.start_model import StartModel
from metassl.project.rounds import Round
from metassl.training.bring_in import model_of

from metassl_research.experiment import Experiment
from metassl_research.peers.runs import Peers
from metassl_research.peers.settings import FINETUNED, PEER_ARMS, AdaptSettings, Run
from metassl_research.peers.shift import shifted
from metassl_research.peers.training.nnunet import model_folder
from metassl_research.reproduction.runs import labelled_cases
from metassl_research.resumable import Report


class Adaptation(Peers):
    """The last training cases are those of the other scanner. Here nobody sees them, not even as images."""

    def __init__(
        self, experiment: Experiment, settings: AdaptSettings, path: Path, report: Report, nnunet: str | None = None
    ) -> None:
        count = settings.source.cases
        order = experiment.train_order
        if count >= len(order):
            raise MetaSSLError(f"--source-cases {count} leaves none of the {len(order)} training cases to adapt to")
        self._source_cases, experiment.train_order = order[-count:], order[:-count]
        (self._source, *_) = settings.runs()
        super().__init__(experiment, settings, path, report, nnunet)

    def do(self, run: Run) -> dict[str, Any]:
        if run == self._source:
            found = self.peer(run, PEER_ARMS["nnunet"], self._source_cases, changed=shifted)
            return {**asdict(run), "learnt_from": self._source_cases, **found}
        cases = labelled_cases(self.experiment.train_order, run.labelled, run.seed)
        if run.arm == FINETUNED:
            found = self.peer(run, PEER_ARMS["nnunet"], cases, model=str(self.model_folder))
        else:
            found = self.ours(run, cases, parent=self._round_0())
        return {**asdict(run), "learnt_from": cases, **found}

    @property
    def model_folder(self) -> Path:
        """Where the source model lies. MetaSSLError where it is not trained yet."""
        return model_folder(self.folder(self._source))

    def _round_0(self) -> Round:
        """The round of the experiment that holds it, as `metassl new --model` makes it."""
        project = self.experiment.project
        rounds = project.rounds()
        found = rounds[0] if rounds and rounds[0].has_source else StartModel.at([self.model_folder]).begin(project)
        model_of(project, found)
        return found
