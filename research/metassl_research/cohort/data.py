"""The cohort of a play: the cases to be labelled, without any label, and the truth, which only the oracle sees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from metassl.files.errors import ProjectError
from metassl.intake.create import new_project
from metassl.intake.discovery import find_cases
from metassl.intake.found import Discovery
from metassl.project.project import Project


@dataclass(frozen=True)
class Cohort:
    """`cases`: the training cases of the data's splits.json, or all with a label where there is none."""

    found: Discovery
    cases: list[str]

    @staticmethod
    def of(data: Path) -> Cohort:
        """MetaSSLError when there is nothing in the folder, or too little."""
        found = find_cases(data)
        files = {case.id for case in found.cases if case.label is not None}
        named = (found.split or {}).get("train_order") or sorted(files)
        cases = [case for case in named if case in files]
        if len(cases) < 4:
            raise ProjectError(f"{data} has {len(cases)} cases with a label; a cohort needs 4 at least")
        return Cohort(found, cases)

    def truth(self, case: str) -> Path:
        """The file of the true annotation of a case of the cohort."""
        return next(each.label for each in self.found.cases if each.id == case and each.label is not None)

    def new_project(self, path: Path) -> Project:
        """A project of the cohort's images, without a label. MetaSSLError when an image cannot be read."""
        chosen = {*self.cases}
        images = [replace(case, split="") for case in self.found.cases if case.id in chosen]
        found = replace(self.found, cases=images, split=None)
        project, warnings = new_project(path, found, labelled=0)
        if missing := sorted(chosen - project.cases.keys()):
            raise ProjectError(f"the cases {', '.join(missing)} cannot be used: {'; '.join(warnings[:3])}")
        return project
