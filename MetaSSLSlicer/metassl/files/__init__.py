"""Files that survive a crash, JSON with one clear sentence when it is wrong, locks, and errors for the user."""

from .atomic import atomic_write, sha256_of, write_text
from .errors import BusyError, ChangedError, ImageError, LabelError, MetaSSLError, ProjectError
from .json_files import read_json, write_json
from .locks import file_lock

__all__ = [
    "BusyError",
    "ChangedError",
    "ImageError",
    "LabelError",
    "MetaSSLError",
    "ProjectError",
    "atomic_write",
    "file_lock",
    "read_json",
    "sha256_of",
    "write_json",
    "write_text",
]
