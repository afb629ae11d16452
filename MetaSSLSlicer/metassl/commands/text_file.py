"""Lists of case names in text files."""

from __future__ import annotations

from pathlib import Path

from metassl.project.errors import ProjectError


def read_names(path: Path) -> list[str]:
    """The names in `path`, one a line, without blank lines and those that begin with #.

    ProjectError when it cannot be read or names nothing.
    """
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProjectError(f"{path} is not a text file with one case name a line") from error
    except OSError as error:
        raise ProjectError(f"cannot read the case names in {path}: {error.strerror or error}") from error
    names = [line.strip() for line in text.splitlines()]
    names = [name for name in names if name and not name.startswith("#")]
    if not names:
        raise ProjectError(f"{path} names no case: write one case name a line")
    return list(dict.fromkeys(names))
