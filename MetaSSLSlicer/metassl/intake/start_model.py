"""A project that begins with a model: which structures it has, of those that the model knows and of new ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from metassl.files.errors import ProjectError
from metassl.imaging.matching import key_of_name
from metassl.jobs.source_round import make_source_round
from metassl.project.project import Project
from metassl.project.rounds import Round
from metassl.project.structures import LabelDefinition, check_labels, parse_labels

from .model_folder import SourceFolder


@dataclass(frozen=True)
class StartModel:
    """sources: one model, or two that make a pair. wanted: names of structures, the model's or new; None for all of the
    model's. made(project, round): called with round 0; where it raises, there is no project.
    """

    sources: Sequence[SourceFolder]
    wanted: Sequence[str] | None = None
    made: Callable[[Project, Round], object] = lambda project, made: None

    @staticmethod
    def at(folders: Sequence[Path], wanted: Sequence[str] | None = None) -> StartModel:
        """Raises ProjectError where a folder holds no model, or two do not segment the same."""
        if not 1 <= len(folders) <= 2:
            raise ProjectError("give one model, or two whose networks make a pair")
        sources = [SourceFolder.at(folder) for folder in folders]
        told = [{key_of_name(label.name): label.value for label in source.structures} for source in sources]
        if told[0] != told[-1]:
            names = [", ".join(f"{label.value}={label.name}" for label in source.structures) for source in sources]
            raise ProjectError(f"the two models segment other structures: {names[0]}, and {names[-1]}")
        return StartModel(sources, wanted)

    def definitions(self, labels: Sequence[str | LabelDefinition] | None = None) -> list[LabelDefinition]:
        """The structures of the project. labels: definitions, also as texts such as "1=Liver", instead of `wanted`."""
        known = self._known
        if labels:
            texts = [label for label in labels if isinstance(label, str)]
            given = [label for label in labels if isinstance(label, LabelDefinition)]
            chosen = [*given, *(parse_labels(texts) if texts else [])]
        elif self.wanted is None:
            chosen = list(known.values())
        else:
            free = iter(sorted({*range(1, 255)} - {label.value for label in known.values()}))
            chosen = [known.get(key_of_name(name)) or LabelDefinition(next(free), name) for name in self.wanted]
        if not any(key_of_name(label.name) in known for label in chosen):
            names = ", ".join(label.name for label in known.values())
            raise ProjectError(
                f"{self.sources[0].folder} knows none of {', '.join(label.name for label in chosen)}, but {names}"
            )
        return check_labels(chosen)

    @property
    def told(self) -> list[str]:
        """Which folds are left out: one model gives both networks, each of two gives its first."""
        taken = 3 - len(self.sources)
        return [
            f"{source.folder}: {' and '.join(source.folds[:taken])} {'is' if taken == 1 else 'are'} used, "
            f"{', '.join(source.folds[taken:])} not: a model has two networks"
            for source in self.sources
            if len(source.folds) > taken
        ]

    def check_channels(self, channels: Sequence[str]) -> list[str]:
        """Warnings; ProjectError where the images have another number of channels than the model."""
        theirs = self.sources[0].channels
        if len(theirs) != len(channels):
            raise ProjectError(
                f"the images have {len(channels)} channel(s), {', '.join(channels)}, and the model needs "
                f"{len(theirs)}: {', '.join(theirs)}"
            )
        pairs = zip(map(key_of_name, theirs), map(key_of_name, channels))
        if len(channels) > 1 and any(one != other for one, other in pairs):
            return [
                f"the channels {', '.join(channels)} are given to the model as its {', '.join(theirs)}, in this order"
            ]
        return []

    def begin(self, project: Project) -> Round:
        """Make round 0 of a project with those structures."""
        known = self._known
        values = {
            label.value: known[key_of_name(label.name)].value
            for label in project.labels
            if key_of_name(label.name) in known
        }
        made = make_source_round(project, [source.folder for source in self.sources], values)
        self.made(project, made)
        return made

    @property
    def _known(self) -> dict[str, LabelDefinition]:
        return {key_of_name(label.name): label for label in self.sources[0].structures}
