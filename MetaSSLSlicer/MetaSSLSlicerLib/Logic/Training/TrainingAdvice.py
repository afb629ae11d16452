"""Why a training failed, in a clinician's words, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from metassl.files import ErrorCode
from metassl.jobs import JobStatus
from metassl.project import Project
from metassl.project.cases import unseen_structures
from metassl.project.coverage import silent_labels
from metassl.project.words import sentence

from ...Translation import _


@dataclass(frozen=True)
class TrainingAdvice:
    """`text`: what happened. `whatToDo`: in a sentence or two."""

    text: str
    whatToDo: str

    @staticmethod
    def of(status: JobStatus) -> TrainingAdvice | None:
        """For a training that ended badly; None for any other."""
        if status.state == "interrupted" and status.machine and status.message:
            text = _("Press Go on once the cause is gone: what was made meanwhile is fetched. Nothing is lost.")
            return TrainingAdvice(sentence(status.message), text)
        if status.state == "interrupted":
            return TrainingAdvice(
                _(
                    "The training ended without a word: the computer was switched off, the program was ended, "
                    "or the memory was full."
                ),
                _(
                    "Press Go on: it continues from the last saved step, at most half a minute back. If it happens "
                    "again, close other programs first."
                ),
            )
        if status.state != "failed":
            return None
        return TrainingAdvice.ofFailure(ErrorCode.of(status.code), status.message)

    @staticmethod
    def ofFailure(code: ErrorCode, message: str) -> TrainingAdvice:
        """For an error of the engine: its code and its words."""
        if code in _KNOWN:
            text, whatToDo = _KNOWN[code]()
            return TrainingAdvice(text or sentence(message), whatToDo)
        other = _("Open the log: its last lines say more. If that does not help, send it to us with your question.")
        return TrainingAdvice(sentence(message), other)


def unseenText(project: Project) -> str:
    """Which structures cannot be learnt yet, as no labelled case shows them, and about which labels say nothing, a line
    each; "" for none. For a thread."""
    labelled = project.labelled_cases()
    names, lines = unseen_structures(project.labels, labelled), []
    if names:
        text = _("No labelled case shows {structures}: it cannot be learnt until one does.")
        if len(names) > 1:
            text = _("No labelled case shows {structures}: they cannot be learnt until one does.")
        lines.append(text.format(structures=", ".join(names)))
    for name, number in silent_labels(project.labels, labelled).items():
        text = _("{name}: {number} of {all} labels say nothing about it.")
        if number == 1:
            text = _("{name}: 1 of {all} labels says nothing about it.")
        lines.append(text.format(name=name, number=number, all=len(labelled)))
    return "\n".join(lines)


_KNOWN: dict[ErrorCode, Callable[[], tuple[str, str]]] = {
    ErrorCode.NOTHING_LABELLED: lambda: (
        _("There is nothing to learn from yet: no case is labelled."),
        _("Annotate one case or more, save each as a label, and press Train again."),
    ),
    ErrorCode.BUSY: lambda: (
        _("This project is being trained already, by another program or on another computer."),
        _("Wait until it ends: the panel follows it as far as it can be seen from here."),
    ),
    ErrorCode.MISSING_PACKAGE: lambda: (
        _("A part that training needs is not installed, or does not work."),
        _("Open the section Setup, press Check, and install what is missing."),
    ),
    ErrorCode.NO_DEVICE: lambda: (
        _("The graphics card that was asked for cannot be used."),
        _("Choose Automatic as the device under Advanced, and press Train again."),
    ),
    ErrorCode.OUT_OF_MEMORY: lambda: (
        _("The memory of this computer is too small for these images, even in small pieces."),
        _("Close other programs and press Train again, or train on a computer with more memory."),
    ),
    ErrorCode.DISK_FULL: lambda: (
        _("The disk is full. What was learnt until the last saved step is safe."),
        _("Make room on the disk of the project folder, then press the button again."),
    ),
    ErrorCode.NO_ACCESS: lambda: (
        "",
        _("Make sure that you may write to the project folder, or copy it to where you may."),
    ),
    ErrorCode.NOT_FINITE: lambda: (
        "",
        _("Look at the images and labels of these cases: one may be damaged or empty. Then train anew."),
    ),
}
