"""Errors that are meant for the user: one line that names the case, the file and what to do."""

from __future__ import annotations

import errno
from enum import Enum

_LONGEST = 800


class ErrorCode(str, Enum):
    """The kinds of failure that somebody acts on. Who reacts to an error asks for its code, never for its words."""

    OTHER = "other"
    NOTHING_LABELLED = "nothing_labelled"
    BUSY = "busy"
    LOCKED = "locked"
    MISSING_PACKAGE = "missing_package"
    NO_DEVICE = "no_device"
    OUT_OF_MEMORY = "out_of_memory"
    DISK_FULL = "disk_full"
    NO_ACCESS = "no_access"
    NOT_FINITE = "not_finite"

    @classmethod
    def of(cls, value: object) -> ErrorCode:
        """The code that a file or another program wrote; OTHER for one that this version does not know."""
        try:
            return cls(value)
        except ValueError:
            return cls.OTHER


class MetaSSLError(Exception):
    """Base of every error that is shown to the user without a traceback.

    Its message is one line of printable characters, whatever a damaged file put into it. `code`: its kind, where it
    tells one itself; see `code_of`.
    """

    code = ErrorCode.OTHER

    def __init__(self, message: object = "", code: ErrorCode | None = None) -> None:
        super().__init__(_one_line(str(message)))
        if code is not None:
            self.code = code


class ProjectError(MetaSSLError):
    """The project folder, or a file in it, is missing, unreadable or cannot be written."""


class WriteError(ProjectError):
    """A file cannot be written: a full disk, no permission, no folder."""


class ImageError(MetaSSLError):
    """An image cannot be used."""


class LabelError(MetaSSLError):
    """An annotation cannot be used."""


class ChangedError(MetaSSLError):
    """Somebody else labelled the case meanwhile."""


class BusyError(MetaSSLError):
    """Someone else is at work on the project: trains it, or (with the code LOCKED) writes to it."""

    code = ErrorCode.BUSY


_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


def code_of(error: BaseException | None) -> ErrorCode:
    """Of which kind any error is, ours or not; where it tells none, that of the error it was raised from."""
    while error is not None:
        code = _own_code(error)
        if code is not ErrorCode.OTHER:
            return code
        error = error.__cause__
    return ErrorCode.OTHER


def _own_code(error: BaseException) -> ErrorCode:
    if isinstance(error, MetaSSLError):
        return error.code
    if isinstance(error, MemoryError):
        return ErrorCode.OUT_OF_MEMORY
    if isinstance(error, ImportError):
        return ErrorCode.MISSING_PACKAGE
    if isinstance(error, OSError):
        if error.errno in _FULL:
            return ErrorCode.DISK_FULL
        if error.errno in _DENIED:
            return ErrorCode.NO_ACCESS
        if error.errno == errno.ENOMEM:
            return ErrorCode.OUT_OF_MEMORY
    return ErrorCode.OTHER


def _one_line(text: str) -> str:
    line = "".join(letter if letter.isprintable() else " " if letter.isspace() else "?" for letter in text)
    half = _LONGEST // 2
    return line if len(line) <= _LONGEST else f"{line[:half]} ... {line[-half:]}"
