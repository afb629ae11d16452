"""Our own code on the other computer: a copy named by its hash, so that both ends are always of one version."""

from __future__ import annotations

import hashlib
import io
import tarfile
from functools import lru_cache
from pathlib import Path

from metassl.jobs.launcher import ENGINE_ROOT

from .remote import Remote

_NO_CODE = ("__pycache__", ".pyc")


def engine_there(remote: Remote) -> str:
    """The folder there that holds the package metassl, sent if it is not there yet. Raises as `Remote.ask`."""
    name, packed = _packed()
    folder = remote.path("engine", name)
    if not remote.ask("exists", path=folder)[0]["is_there"]:
        remote.ask("unpack", packed, folder=folder)
    return folder


@lru_cache(maxsize=1)
def _packed() -> tuple[str, bytes]:
    """Its hash, and all its files as a tar."""
    package, digest, stream = ENGINE_ROOT / "metassl", hashlib.sha256(), io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for path in sorted(package.rglob("*")):
            if path.is_file() and not any(part in path.as_posix() for part in _NO_CODE):
                _add(archive, digest, path)
    return digest.hexdigest()[:16], stream.getvalue()


def _add(archive: tarfile.TarFile, digest: hashlib._Hash, path: Path) -> None:
    data, name = path.read_bytes(), path.relative_to(ENGINE_ROOT).as_posix()
    digest.update(f"{name}\n{len(data)}\n".encode() + data)
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    archive.addfile(entry, io.BytesIO(data))
