"""The other end of a connection. Its source is sent through ssh, so nothing need be installed there but Python 3.8.

It imports nothing of ours at first, reads requests from stdin and answers on stdout, each a line of JSON with its
length, and bytes where there are any. It ends with its stdin, with whatever it runs, and when nothing was asked for
long, as when the other computer sleeps.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import io
import json
import os
import platform
import queue
import shutil
import subprocess
import sys
import tarfile
import threading
from typing import Any

MAGIC = b"metassl-agent-1\n"
"""Goes before the first answer: what a login script prints comes earlier, and is skipped."""
IDLE_S = 900.0
CHUNK = 1 << 20
TEMPORARY = ".tmp-"


class Agent:
    def __init__(self, source: Any, sink: Any) -> None:
        self.source, self.sink = source, sink
        self.requests: Any = queue.Queue()
        self.child: Any = None

    def serve(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()
        self.sink.write(MAGIC)
        self.sink.flush()
        while True:
            try:
                request, data = self.requests.get(timeout=IDLE_S)
            except queue.Empty:
                os._exit(0)
            try:
                answer, payload = getattr(self, "do_" + request.pop("do"))(data, **request)
            except Exception as error:
                answer, payload = failure(error), b""
            self._answer(answer, payload)

    def _read(self) -> None:
        try:
            while True:
                head = self.source.readline()
                if not head:
                    break
                length, size = map(int, head.split())
                request = json.loads(self.source.read(length).decode("utf-8"))
                self.requests.put((request, self.source.read(size)))
        finally:
            if self.child is not None:
                self.child.kill()
            os._exit(0)

    def _answer(self, answer: dict, payload: bytes) -> None:
        text = json.dumps(answer).encode("utf-8")
        try:
            self.sink.write(b"%d %d\n" % (len(text), len(payload)) + text + payload)
            self.sink.flush()
        except OSError:
            os._exit(0)

    # What can be asked for

    def do_hello(self, data: bytes, folder: Any) -> Any:
        folder = os.path.abspath(os.path.expanduser(folder))
        there = folder
        while not os.path.isdir(there) and os.path.dirname(there) != there:
            there = os.path.dirname(there)
        about = {
            "folder": folder,
            "free": shutil.disk_usage(there).free,
            "writable": os.access(there, os.W_OK),
            "python": sys.executable,
            "version": platform.python_version(),
            "system": platform.system(),
            "host": platform.node(),
        }
        return about, b""

    def do_different(self, data: bytes, root: Any, files: Any) -> Any:
        """Of [name, size, mtime_ns] those that are not so there."""
        return {"names": [name for name, size, stamp in files if not is_same(root, name, size, stamp)]}, b""

    def do_hashes(self, data: bytes, root: Any, names: Any) -> Any:
        """Of what is there: name -> SHA-256."""
        found = {}
        for name in names:
            path = os.path.join(root, name)
            if os.path.isfile(path):
                found[name] = sha256(path)
        return {"hashes": found}, b""

    def do_stamp(self, data: bytes, root: Any, files: Any) -> Any:
        """The content is as wanted, only its time is not."""
        for name, stamp in files:
            os.utime(os.path.join(root, name), ns=(stamp, stamp))
        return {}, b""

    def do_lacking(self, data: bytes, packages: Any) -> Any:
        """Those that cannot be imported there."""
        return {"packages": [name for name in packages if importlib.util.find_spec(name) is None]}, b""

    def do_exists(self, data: bytes, path: Any) -> Any:
        return {"is_there": os.path.exists(path)}, b""

    def do_unpack(self, data: bytes, folder: Any) -> Any:
        """A tar as a folder, which is there whole or not at all. One that is there already stays."""
        if data and not os.path.isdir(folder):
            beside = f"{folder}{TEMPORARY}{os.getpid()}"
            try:
                with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                    archive.extractall(beside)
                os.rename(beside, folder)
            except OSError:
                if not os.path.isdir(folder):  # else somebody else has just put the same there
                    raise
            finally:
                shutil.rmtree(beside, ignore_errors=True)
        return {}, b""

    def do_put(self, data: bytes, root: Any, name: Any, at: Any, whole: Any, stamp: Any, sha: Any) -> Any:
        """A part of a file, which takes its place when it is whole, and of that hash."""
        path = os.path.join(root, name)
        temporary = os.path.join(os.path.dirname(path), TEMPORARY + "sent-" + os.path.basename(path))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            with open(temporary, "r+b" if at else "wb") as stream:
                stream.seek(at)
                stream.write(data)
                stream.flush()
                if at + len(data) == whole:
                    os.fsync(stream.fileno())
            if at + len(data) == whole:
                if sha256(temporary) != sha:
                    raise ValueError(f"the file {name} was damaged on its way, or changed meanwhile")
                os.utime(temporary, ns=(stamp, stamp))
                os.replace(temporary, path)
        except BaseException:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise
        return {}, b""

    def do_get(self, data: bytes, root: Any, name: Any, at: Any) -> Any:
        """A part of a file, and the size and time of the file that it is of."""
        with open(os.path.join(root, name), "rb") as stream:
            stat = os.fstat(stream.fileno())
            stream.seek(at)
            part = stream.read(CHUNK)
        return {"size": stat.st_size, "stamp": stat.st_mtime_ns}, part

    def do_run(
        self, data: bytes, command: Any, environment: Any = None, folder: Any = None, timeout: Any = 60.0
    ) -> Any:
        """A command to its end: its exit code, and the end of what it printed."""
        variables = dict(os.environ, **(environment or {}))
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=variables, cwd=folder
        )
        try:
            out, err = self.child.communicate(data, timeout=timeout)
        except subprocess.TimeoutExpired:
            self.child.kill()
            out, err = self.child.communicate()
        code, self.child = self.child.returncode, None
        return {"code": code, "out": last(out), "err": last(err)}, b""

    def do_call(self, data: bytes, engine: Any, module: Any, function: Any, arguments: Any, environment: Any) -> Any:
        """A function of the engine that was copied there."""
        os.environ.update(environment)
        if engine not in sys.path:
            sys.path.insert(0, engine)
        return {"value": getattr(importlib.import_module(module), function)(**arguments)}, b""


def is_same(root: str, name: str, size: int, stamp: int) -> bool:
    try:
        stat = os.stat(os.path.join(root, name))
    except OSError:
        return False
    return stat.st_size == size and stat.st_mtime_ns // 1000 == stamp // 1000


def sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while True:
            block = stream.read(CHUNK)
            if not block:
                return digest.hexdigest()
            digest.update(block)


def last(output: bytes) -> str:
    return output[-200000:].decode("utf-8", "replace")


def failure(error: Exception) -> dict:
    code = getattr(error, "code", None)
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    name = getattr(error, "filename", None)
    words = f"{name}: {words}" if name else words
    return {
        "error": words,
        "kind": type(error).__name__,
        "errno": getattr(error, "errno", None),
        "code": getattr(code, "value", ""),
    }


def main() -> None:
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between two answers
    Agent(sys.stdin.buffer, sink).serve()


if __name__ == "__main__":
    main()
