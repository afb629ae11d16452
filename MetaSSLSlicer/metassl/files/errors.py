"""Errors that are meant for the user: one line that names the case, the file and what to do."""

_LONGEST = 800


class MetaSSLError(Exception):
    """Base of every error that is shown to the user without a traceback.

    Its message is one line of printable characters, whatever a damaged file put into it.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(_one_line(str(message)))


class ProjectError(MetaSSLError):
    """The project folder, or a file in it, is missing, unreadable or cannot be written."""


class ImageError(MetaSSLError):
    """An image cannot be used."""


class LabelError(MetaSSLError):
    """An annotation cannot be used."""


class ChangedError(MetaSSLError):
    """Somebody else labelled the case meanwhile."""


class BusyError(MetaSSLError):
    """Someone else is at work on the project."""


def _one_line(text: str) -> str:
    line = "".join(letter if letter.isprintable() else " " if letter.isspace() else "?" for letter in text)
    half = _LONGEST // 2
    return line if len(line) <= _LONGEST else f"{line[:half]} ... {line[-half:]}"
