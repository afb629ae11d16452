"""Asking what structures are, where a format has to be told and the project does not say."""

from __future__ import annotations

from collections.abc import Callable

from metassl.project.structure_changes import set_term
from metassl.project.terms import exact_term, without_term

from ...Logic.Case.Session import Session
from ...Translation import _


def offerTerms(
    session: Session, choose: Callable[[str, str], tuple[str, str] | None], then: Callable[[], None]
) -> bool:
    """Say which structures have no standard term, and offer to choose; `then()` follows when all have one.

    False when none is missing, and nothing is said. `choose(entry, name)` asks the user what the structure of that name
    is, beginning with an entry, as `chooseTerminology` does.
    """
    project = session.project
    missing = without_term(project.labels)
    if not missing:
        return False

    def ask() -> None:
        chosen = {}
        for label in missing:
            term = exact_term(label.name)
            answer = choose(term.entry if term else "", label.name)
            if answer is None:
                break
            chosen[label.value], _name = answer

        def keep() -> None:
            for value, entry in chosen.items():
                set_term(project, value, entry)

        def kept(_result: None) -> None:
            if len(chosen) == len(missing) and project is session.project:
                then()

        session.tasks.run(keep, kept, session.fail)

    names = ", ".join(label.name for label in missing)
    text = _("This format has to be told what each structure is, by a standard term. Without one: {names}.")
    session.say("warning", text.format(names=names), _("Choose terms..."), ask)
    return True
