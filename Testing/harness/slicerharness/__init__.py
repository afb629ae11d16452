"""Desktop Slicer's Python API without desktop Slicer: Qt from PySide6, MRML from slicer-core.

`Harness.install()` puts `qt`, `ctk`, the widgets of `slicer` and `slicer.app` in place, with the behaviour and
the names of the real ones (Testing/data/slicer-api). It is stricter: what Slicer would only print, it raises.
"""

import os

os.environ["PYSIDE6_OPTION_PYTHON_ENUM"] = "0x2"  # PySide reads it when it is imported: enums act as ints
