"""What a button or a key does, in such a way that an error is shown. PythonQt alone would only print it."""

from __future__ import annotations

from collections.abc import Callable

import slicer.util

from ..Translation import _


def userAction(action: Callable[[], object]) -> Callable[..., None]:
    """`action` as a slot; it is called without arguments. Errors that are expected it has to say itself."""

    def slot(_checked: bool = False) -> None:
        with slicer.util.tryWithErrorDisplay(_("This could not be done.")):
            action()

    return slot
