"""A reader that does all that no reader may do: to try whether it would be noticed."""

from __future__ import annotations

import os
import time

from .hostile_child import CPU_SECONDS, MEMORY, Verdict


def probe(how: str) -> Verdict:
    """As told, and then all is well."""
    if how == "die":
        os.abort()
    if how == "fail":
        raise ValueError("a traceback")
    if how == "fill":
        bytearray(2 * MEMORY)
    begin = time.process_time()
    while how == "turn" and time.process_time() - begin < CPU_SECONDS:
        pass
    return Verdict()
