"""Adding structures to the open project, or giving them other names and colours: what it means, and doing it."""

from __future__ import annotations

from collections.abc import Sequence

from metassl.files import BusyError
from metassl.jobs.lock import TrainingLock
from metassl.project import LabelDefinition, Project
from metassl.project.structure_changes import change_structures
from metassl.project.words import plural

from ...Translation import _


def whatItMeans(now: Sequence[LabelDefinition], wanted: Sequence[LabelDefinition], labelled: int) -> str:
    """What changing the structures from `now` to `wanted` does, a sentence each; "" where nothing would change.

    `labelled`: how many cases have a label.
    """
    former = {label.value: label for label in now}
    added = [label.name for label in wanted if label.value not in former]
    lines = []
    if added and labelled:
        silent = plural(labelled, _("The label of before says"), _("The {count} labels of before say"))
        text = _(
            "{labels} nothing about {names}: what they call background may be that, and is trained so until a case is "
            "labelled again."
        )
        lines.append(text.format(labels=silent, names=", ".join(added)))
    if added:
        lines.append(_("A structure is never taken out again; one that nobody labels is not learnt."))
    for label in wanted:
        before = former.get(label.value, label)
        if label.name != before.name:
            text = _("{former} is called {name} from now on, also in the labels of before.")
            lines.append(text.format(former=before.name, name=label.name))
        elif (label.color, label.terminology) != (before.color, before.terminology):
            lines.append(_("{name} gets another colour or term; its labels stay.").format(name=label.name))
    return "\n".join(lines)


def apply(project: Project, wanted: Sequence[LabelDefinition]) -> list[str]:
    """Make these the project's structures, for a thread. Returns the ids of cases whose labels say nothing about what
    was added. Raises MetaSSLError, such as while a training runs, which would not know them."""
    holder = TrainingLock(project.path).busy()
    if holder is not None:
        text = _("the project is in use ({purpose}): wait until it has ended, or stop it first")
        raise BusyError(text.format(purpose=holder.purpose))
    return change_structures(project, wanted)
