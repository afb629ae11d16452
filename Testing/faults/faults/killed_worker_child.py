"""The worker on a slow disk, with a checkpoint three times a second: so that a kill finds it in the middle of a write.

python -m faults.killed_worker_child PROJECT ROUND
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from metassl.training import loop, worker

CHECKPOINT_SECONDS = 0.3
SECONDS_PER_CALL = 0.01
PIECES = 8


def slowed(call: Callable) -> Callable:
    def slow(*arguments, **options):
        time.sleep(SECONDS_PER_CALL)
        return call(*arguments, **options)

    return slow


def write_in_pieces(path: Path, data: bytes) -> int:
    """Path.write_bytes that can be killed half-way."""
    view = memoryview(data)
    size = len(view) // PIECES + 1
    with open(path, "wb", buffering=0) as stream:
        for begin in range(0, len(view), size):
            stream.write(view[begin : begin + size])
            time.sleep(SECONDS_PER_CALL / 2)
    return len(view)


if __name__ == "__main__":
    loop.CHECKPOINT_SECONDS = CHECKPOINT_SECONDS
    os.fsync, os.replace = slowed(os.fsync), slowed(os.replace)
    Path.write_bytes = write_in_pieces
    sys.exit(worker.main(sys.argv[1:]))
