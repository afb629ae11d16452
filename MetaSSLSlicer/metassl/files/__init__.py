"""Files that survive a crash, JSON with one clear sentence when it is wrong, locks, and errors for the user."""

from .atomic import atomic_write, sha256_of, write_text
from .errors import BusyError, ChangedError, ErrorCode, ImageError, LabelError, MetaSSLError, ProjectError, code_of
from .json_files import read_json, write_json
from .locks import file_lock

__all__ = [
    "BusyError",
    "ChangedError",
    "ErrorCode",
    "ImageError",
    "LabelError",
    "MetaSSLError",
    "ProjectError",
    "atomic_write",
    "code_of",
    "file_lock",
    "read_json",
    "sha256_of",
    "write_json",
    "write_text",
]
