"""Errors that are meant for the user: one line that names the case, the file and what to do."""


class MetaSSLError(Exception):
    """Base of every error that is shown to the user without a traceback."""


class ProjectError(MetaSSLError):
    """The project folder, or a file in it, is missing, unreadable or cannot be written."""


class ImageError(MetaSSLError):
    """An image cannot be used."""


class LabelError(MetaSSLError):
    """An annotation cannot be used."""


class BusyError(MetaSSLError):
    """Someone else is at work on the project."""
