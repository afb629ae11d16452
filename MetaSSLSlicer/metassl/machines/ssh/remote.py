"""A connection to another computer: files go both ways whole or not at all, and functions of the engine are called."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import Popen
from typing import Any

from metassl.files.atomic import atomic_write, make_folder, sha256_of, writing
from metassl.files.errors import ErrorCode, MetaSSLError, ProjectError
from metassl.jobs.process import host_name

from ..machine import Machine
from ..shell import Done
from . import agent
from .command import ConnectionLost, explained, start, there_command

FOLDER = "~/.metassl"
"""Where copies lie on the other computer, if nothing else is said."""
_WAIT_S = 60.0
_FULL = 28


class RemoteError(ProjectError):
    """Something went wrong on the other computer; it is told in that one's words."""


class Remote:
    """The agent on a machine. Use it in a `with` block; one request at a time."""

    def __init__(self, machine: Machine) -> None:
        """Connect. Raises ConnectionLost or ConnectionRefused, ProjectError where there is no Python there."""
        self.machine = machine
        source = Path(agent.__file__).read_bytes()
        python = machine.python or "python3"
        line = f"import sys;exec(sys.stdin.buffer.read({len(source)}))"
        self._process = start(machine, there_command(machine, [python, "-u", "-c", line]))
        self._said: list[bytes] = []
        self._greeted = False
        self._listener = threading.Thread(target=self._listen, daemon=True, name="metassl-ssh")
        self._listener.start()
        self._guard = threading.Timer(_WAIT_S, self._process.kill)
        self._guard.daemon = True
        try:
            self._guard.start()
            self._write(source)
            self._skip_greeting(python)
            self.about = self.ask("hello", folder=machine.folder or FOLDER)[0]
        except BaseException:
            self.close()
            raise
        finally:
            self._guard.cancel()

    @property
    def folder(self) -> str:
        """Where copies lie there."""
        return str(self.about["folder"])

    def path(self, *parts: str) -> str:
        """A path below that folder, as the other computer writes it."""
        mark = "\\" if self.about["system"] == "Windows" else "/"
        return mark.join([self.folder, *parts])

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection, and with it what runs there for it."""
        process: Popen = self._process
        for stream in (process.stdin, process.stdout):
            try:
                stream.close()  # type: ignore[union-attr]
            except OSError:
                pass
        try:
            process.wait(2.0)
        except Exception:
            process.kill()
            process.wait()

    def ask(self, what: str, data: bytes = b"", **arguments: Any) -> tuple[dict[str, Any], bytes]:
        """One request and its answer. Raises ConnectionLost, RemoteError."""
        text = json.dumps({"do": what, **arguments}).encode()
        self._write(b"%d %d\n" % (len(text), len(data)) + text + data)
        head = self._process.stdout.readline()  # type: ignore[union-attr]
        if not head:
            raise self._lost()
        length, size = map(int, head.split())
        answer, payload = json.loads(self._read(length)), self._read(size)
        if "error" in answer:
            raise self._failure(answer)
        return answer, payload

    def call(self, engine: str, function: str, **arguments: Any) -> Any:
        """A function of `metassl.machines.ssh.there`, of the engine in that folder, run there."""
        module, environment = "metassl.machines.ssh.there", {"METASSL_CONFIG": self.path("config", host_name())}
        about = {"engine": engine, "module": module, "environment": environment}
        return self.ask("call", function=function, arguments=arguments, **about)[0]["value"]  # type: ignore[arg-type]

    def run(self, command: Sequence[str], text: str = "", timeout_s: float = 60.0, **how: Any) -> Done:
        """A command there, to its end."""
        answer = self.ask("run", text.encode(), command=list(command), timeout=timeout_s, **how)[0]
        return Done(answer["code"], answer["out"], answer["err"])

    # Files

    def put(self, source: Path, root: str, name: str) -> Iterator[int]:
        """Send a file, and give how many bytes of it are there after each part; until the last, none of it is used."""
        with open(source, "rb") as stream:
            stat, at = os.fstat(stream.fileno()), 0
            sha = sha256_of(source)
            while True:
                part = stream.read(agent.CHUNK)
                about = {"whole": stat.st_size, "stamp": stat.st_mtime_ns, "sha": sha}
                self.ask("put", part, root=root, name=name, at=at, **about)
                at += len(part)
                yield at
                if at >= stat.st_size or not part:
                    break
        if at != stat.st_size:
            raise ProjectError(f"{source} was changed while it was sent: try again when it is at rest")

    def get(self, root: str, name: str, path: Path) -> Iterator[int]:
        """Fetch a file into `path`, which is the former one, or none, until all of it is here."""
        make_folder(path.parent)
        temporary = path.with_name(f"{agent.TEMPORARY}fetched-{path.name}")
        try:
            with writing(path), open(temporary, "wb") as stream:
                about: dict[str, Any] = {}
                while not about or stream.tell() < about["size"]:
                    answer, part = self.ask("get", root=root, name=name, at=stream.tell())
                    if about and answer != about:
                        raise ChangedThere(f"{name} is being written there")
                    about = answer
                    if not part and about["size"]:
                        raise ChangedThere(f"{name} became shorter there")
                    stream.write(part)
                    yield stream.tell()
                    if not about["size"]:
                        break
            self._check(root, name, temporary)
            os.utime(temporary, ns=(about["stamp"], about["stamp"]))
            atomic_write(path, lambda aside: os.replace(temporary, aside))
        finally:
            if temporary.exists():
                temporary.unlink()

    def _check(self, root: str, name: str, path: Path) -> None:
        there = self.ask("hashes", root=root, names=[name])[0]["hashes"].get(name)
        if there != sha256_of(path):
            raise ChangedThere(f"{name} was changed while it was fetched")

    # The line itself

    def _write(self, data: bytes) -> None:
        try:
            self._process.stdin.write(data)  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]
        except (OSError, ValueError) as error:
            raise self._lost() from error

    def _read(self, size: int) -> bytes:
        data = self._process.stdout.read(size)  # type: ignore[union-attr]
        if len(data) < size:
            raise self._lost()
        return bytes(data)

    def _listen(self) -> None:
        for line in self._process.stderr:  # type: ignore[union-attr]
            self._said = [*self._said[-50:], line]

    def _skip_greeting(self, python: str) -> None:
        """Read up to the agent's first word. Raises what ssh, or the shell there, said instead."""
        for line in iter(self._process.stdout.readline, b""):  # type: ignore[union-attr]
            if line.endswith(agent.MAGIC):
                self._greeted = True
                return
            self._said = [*self._said[-50:], line]
        code = self._process.wait()
        self._listener.join(2.0)
        if code == 255:
            raise explained(self.machine)
        raise ProjectError(
            f"{self.machine.name}: {python} cannot be run there ({self._last_words() or f'exit code {code}'}): install "
            "Python 3.11 or newer there, or say which one with `metassl machines add ... --python PATH`",
            ErrorCode.MISSING_PACKAGE,
        )

    def _last_words(self) -> str:
        lines = [line.strip() for line in b"".join(self._said).decode("utf-8", "replace").splitlines()]
        return next((line for line in reversed(lines) if line), "")

    def _lost(self) -> MetaSSLError:
        if not self._greeted and self._process.wait() == 255:  # ssh was through before all was said to it
            return explained(self.machine)
        self._listener.join(1.0)
        return ConnectionLost(
            f"the connection to {self.machine.name} was lost ({self._last_words() or 'without a word'})"
        )

    def _failure(self, answer: dict[str, Any]) -> MetaSSLError:
        name = self.machine.name
        if answer.get("errno") == _FULL:
            words = f"the disk of {name} is full: {answer['error']}; make room there, and train again: it goes on"
            return RemoteError(words, ErrorCode.DISK_FULL)
        return RemoteError(f"on {name}: {answer['error']}", ErrorCode.of(answer.get("code") or "other"))


class ChangedThere(MetaSSLError):
    """A file was replaced while it was read: fetched again a moment later."""
