"""The command `metassl`: parses, calls, and turns errors into one line and an exit code."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from metassl import __version__
from metassl.commands import chapters, name_of
from metassl.commands.shared.console import Console
from metassl.files.errors import ErrorCode, MetaSSLError, code_of

OK, FAILED, USER_ERROR, UNEXPECTED, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 70, 130, 141
_ENVIRONMENT_ERRORS = (ErrorCode.DISK_FULL, ErrorCode.NO_ACCESS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 done, 1 failed, 2 wrong use, 70 a fault of ours, 130 Ctrl-C, 141 nobody reads the output.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal knows every letter
    console = Console()
    try:
        arguments = build_parser().parse_args(argv)
        if "run" not in arguments:
            print(_story(), file=sys.stderr)
            return USER_ERROR
        console.as_json = getattr(arguments, "json", False)
        code: int = arguments.run(arguments, console)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except Exception as error:
        return _failed(error, console)


@cache
def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each sets `run`."""
    parser = _StoryParser(prog="metassl", add_help=False)
    parser.add_argument("-h", "--help", action="help")
    parser.add_argument("--version", action="version", version=f"metassl {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=_Parser)
    for _, modules in chapters():
        for module in modules:
            command = commands.add_parser(
                name_of(module), aliases=getattr(module, "ALIASES", ()), help=module.SUMMARY, description=module.__doc__
            )
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


class _Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**{**options, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        self.exit(USER_ERROR, f"{self.prog}: {message}{self._meant(message)} (see {self.prog} --help)\n")

    def _meant(self, message: str) -> str:
        """The command, option or choice that is nearest to the word which `message` complains about."""
        if choice := re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message):
            word, known = choice[1], re.findall(r"[\w-]+", choice[2])
        elif option := re.search(r"unrecognized arguments: (--[^\s=]+)", message):
            word, known = option[1], self._options()
        else:
            return ""
        like = get_close_matches(word, known, n=1, cutoff=0.6)
        if word in like:
            return "; another command takes that"
        return f"; is it {like[0]}?" if like else ""

    def _options(self) -> list[str]:
        """Of all commands: that none has an option is found out when they have been tried."""
        commands = [a for a in self._actions if isinstance(a, argparse._SubParsersAction)]
        return sorted(
            {o for each in commands for parser in each.choices.values() for o in parser._option_string_actions}
        )


class _StoryParser(_Parser):
    """Tells what there is in chapters."""

    def format_help(self) -> str:
        return _story()


def _story() -> str:
    lines = [
        "usage: metassl COMMAND ...",
        "",
        "Label three cases, train, and review the rest where the model itself is unsure.",
    ]
    for chapter, modules in chapters():
        lines += ["", chapter]
        lines += [f"  {name_of(module):<11} {module.SUMMARY}" for module in modules]
    lines += [
        "",
        "metassl COMMAND --help tells more.",
        "Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted.",
        "METASSL_TRACEBACK=1 shows where an error comes from.",
        "",
    ]
    return "\n".join(lines)


def _failed(error: Exception, console: Console) -> int:
    """Tell of the error, in one line and, with --json, with its code; the exit code."""
    if _wants_traceback():
        traceback.print_exc()
    code = code_of(error)
    if isinstance(error, MetaSSLError):
        exit_code, message = USER_ERROR, " ".join(str(error).split())
    elif isinstance(error, OSError) and code in _ENVIRONMENT_ERRORS:
        exit_code, message = USER_ERROR, f"{error.strerror}: {error.filename or 'a file could not be written'}"
    else:
        first_line = (str(error).splitlines() or [""])[0]
        message = f"an unexpected error: {type(error).__name__}: {first_line}; {_write_details()}"
        exit_code = UNEXPECTED
    print(f"metassl: {message}", file=sys.stderr)
    console.result({"error": {"code": code.value, "message": message}})
    return exit_code


def _write_details() -> str:
    name = f"metassl-error-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.log"
    path = Path(tempfile.gettempdir()) / name
    try:
        path.write_text(f"metassl {__version__}, Python {sys.version}\n{traceback.format_exc()}", "utf-8")
    except OSError:
        return "set METASSL_TRACEBACK=1 to see the details"
    return f"details in {path}"


def _wants_traceback() -> bool:
    return os.environ.get("METASSL_TRACEBACK", "") not in ("", "0")
