"""More cases, and labels of many cases, for the open project: what a folder holds of them, and taking it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metassl.choices.importers import add_cases, add_labels, find_cases, labels_for, new_cases, scan, told_of_names
from metassl.files import LabelError
from metassl.project import Project
from metassl.project.words import plural, sentence

from ...Translation import _
from .NewProject import leftOutLines, nameLines, scanText


@dataclass(frozen=True)
class Offered:
    """`text`: what a folder holds for the project, and what not. `labels`: how many label files can be taken.

    `replaceable`: of how many cases there is a label already. `problem`: why its labels cannot be taken, or "".
    """

    folder: Path
    text: str
    labels: int
    replaceable: int = 0
    problem: str = ""
    found: Any = None


@dataclass(frozen=True)
class Taken:
    """`text`: what came in. `warnings`: what did not, and what is taken in another way than it says."""

    text: str
    warnings: list[str]


class MoreCases:
    """Cases of a folder, a table or an image. Both for a thread; they raise MetaSSLError."""

    @staticmethod
    def look(project: Project, folder: Path, tick: Callable[[], None] = lambda: None) -> Offered:
        """What of it is new. Nothing is written."""
        found = find_cases(folder, tick)
        new, known = new_cases(project, found)
        labels = sum(case.has_label for case in new.cases)
        lines = [plural(len(new.cases), _("1 new case"), _("{count} new cases"))]
        if known:
            lines += [_("The project has already: {cases}").format(cases=", ".join(nameLines(known)))]
        told, problem = _names(found, project, labels)
        return Offered(
            folder, "\n".join([*lines, *told, scanText(scan(folder, found), found.warnings)]), labels, 0, problem, found
        )

    @staticmethod
    def take(project: Project, offered: Offered, withLabels: bool) -> Taken:
        """Add the new cases, with all their labels or with none."""
        added = add_cases(project, offered.found, labelled=None if withLabels else 0)
        text = plural(len(added.cases), _("1 case was added"), _("{count} cases were added"))
        labels = plural(len(added.labelled), _("1 label"), _("{count} labels"))
        return Taken(_("{cases}, with {labels}.").format(cases=text, labels=labels), added.warnings)


class MoreLabels:
    """Label files of many cases, each named after its case. Both for a thread; they raise MetaSSLError."""

    @staticmethod
    def look(project: Project, folder: Path, tick: Callable[[], None] = lambda: None) -> Offered:
        """Of which cases there are labels. Nothing is written."""
        found = labels_for(project, folder, tick)
        cases = project.cases
        known = [case.id for case in found.cases if cases[case.id].is_labelled]
        fresh = [case.id for case in found.cases if not cases[case.id].is_labelled]
        lines = [_("Labels of: {cases}").format(cases=", ".join(nameLines(fresh)) or _("no case without one"))]
        if known:
            lines.append(_("Labelled already: {cases}").format(cases=", ".join(nameLines(known))))
        told, problem = _names(found, project, len(found.cases))
        left: dict[str, list[str]] = {}
        for path, reason in found.left_out:
            name = path.relative_to(folder) if path != folder and path.is_relative_to(folder) else path
            left.setdefault(reason, []).append(str(name))
        lines += [*told, *leftOutLines(left)]
        return Offered(folder, "\n".join(lines), len(fresh), len(known), problem, found)

    @staticmethod
    def take(project: Project, offered: Offered, replace: bool) -> Taken:
        """Take them; a case that has a label keeps it, unless `replace`. Every former version is kept."""
        added = add_labels(project, offered.folder, replace=replace)
        text = plural(len(added.labelled), _("1 label was taken"), _("{count} labels were taken"))
        if added.known:
            kept = plural(len(added.known), _("1 case kept its own"), _("{count} cases kept theirs"))
            text = _("{labels}, {cases}").format(labels=text, cases=kept)
        return Taken(text + ".", added.warnings)


def _names(found: Any, project: Project, labels: int) -> tuple[list[str], str]:
    """What is to be told of the names in label files, and why they cannot be taken."""
    try:
        return [sentence(told) for told in told_of_names(found, project.labels)] if labels else [], ""
    except LabelError as error:
        return [sentence(error)], sentence(error)
