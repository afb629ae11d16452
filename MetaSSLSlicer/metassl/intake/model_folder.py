"""Which kind of model lies in a folder, and what it segments: all that is needed of it without the engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json
from metassl.files.json_kinds import having, list_of, text, texts, whole
from metassl.project.project import Project
from metassl.project.round_choice import model_round
from metassl.project.rounds import Round
from metassl.project.structures import LabelDefinition, check_labels

from .nnunet_model import PLANS, read_nnunet_model

NNUNET, ROUND, BUNDLE = "nnU-Net", "round", "bundle"
_BUNDLE_FACTS = Path("configs") / "metassl.json"
_FACTS = {"structures": list_of(having(value=whole, name=text, color=text, terminology=text)), "channels": texts}


@dataclass(frozen=True)
class SourceFolder:
    """folder: of the round, where a project was given. structures: with their values in the model. folds: those that
    nnU-Net has trained.
    """

    kind: str
    folder: Path
    structures: list[LabelDefinition]
    channels: list[str]
    folds: tuple[str, ...] = ()

    @staticmethod
    def at(folder: Path) -> SourceFolder:
        """Raises ProjectError where it holds no model."""
        folder = Path(folder).expanduser().absolute()
        if (folder / PLANS).is_file():
            found = read_nnunet_model(folder)
            folds = tuple(path.parent.name for path in found.checkpoints)
            return SourceFolder(NNUNET, folder, found.structures, found.channels, folds)
        if (folder / _BUNDLE_FACTS).is_file():
            facts = read_json(folder / _BUNDLE_FACTS, "the description of the bundle", _FACTS, "export the model again")
            structures = check_labels(LabelDefinition(**entry) for entry in facts.get("structures") or [])
            return SourceFolder(BUNDLE, folder, structures, facts.get("channels") or [])
        if (folder / "round.json").is_file():
            project, found_round = Project.open(folder.parent.parent), Round(folder)
            if not found_round.model_path.is_file():
                raise ProjectError(f"{found_round.title} of {project.path} has no finished model")
        elif (folder / "project.json").is_file():
            project = Project.open(folder)
            found_round = model_round(project)
        else:
            raise ProjectError(
                f"{folder} holds no model: give the folder of a model of nnU-Net (with plans.json), a project, a round "
                "of one, or a bundle that MetaSSL has exported (on the command line with --format bundle)"
            )
        return SourceFolder(ROUND, found_round.path, project.labels, project.channels)
