"""Makes pythonqt.json and returns.json from PythonQt's wrappers: python wrappers.py .../pythonqt/generated_cpp_515

pythonqt.json: the classes of Qt that no live instance was asked for: items, colours, events and other values. A class
keeps what its bases do not have. Slots, signals and properties are not wrapped: ask Qt itself.
returns.json: which class a method returns, where that is not only a base of what really comes back.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
CLASSES = (
    "QAbstractButton QAbstractItemDelegate QAbstractItemModel QAbstractItemView QAbstractListModel "
    "QAbstractProxyModel QAbstractScrollArea QAbstractSlider QAbstractSpinBox QAbstractTableModel QActionGroup "
    "QBrush QByteArray QClipboard QCloseEvent QColor QConicalGradient QCoreApplication QCursor QDate QDateTime "
    "QDesktopServices QDir QDragEnterEvent QDragMoveEvent QDropEvent QEvent QFileInfo QFocusEvent QFont "
    "QFontDatabase QFontInfo QFontMetrics QFontMetricsF QGradient QGuiApplication QHelpEvent QHideEvent QIcon "
    "QImage QInputEvent QItemSelection QItemSelectionRange QKeyEvent QKeySequence QLayoutItem QLine QLineF "
    "QLinearGradient QListWidgetItem QLocale QMargins QMimeData QModelIndex QMouseEvent QPaintDevice QPaintEvent "
    "QPainter QPainterPath QPalette QPen QPersistentModelIndex QPixmap QPoint QPointF QPolygon QPolygonF "
    "QProcessEnvironment QRadialGradient QRect QRectF QRegion QResizeEvent QScreen QScrollBar QShowEvent QSize "
    "QSizeF QSizePolicy QSpacerItem QStandardItem QStandardPaths QStyle QSysInfo QTableWidgetItem QTextCharFormat "
    "QTextCursor QTextDocument QTextFormat QTextOption QTime QToolTip QTransform QTreeWidgetItem QUrl QWheelEvent "
    "QWidgetItem QWindow Qt"
).split()
_OPERATORS = re.compile(r"__|py_|new_|delete_|PythonQt|promoted_|operator|qt_")
_BASES = frozenset(
    "QAbstractButton QAbstractItemDelegate QAbstractItemModel QAbstractItemView QAbstractScrollArea QAbstractSlider "
    "QAbstractSpinBox QEvent QLayout QLayoutItem QObject QPaintDevice QStyle QWidget".split()
)


def blocks(folder: Path):
    """(class, the class it derives from or "", the text of its wrapper) of every wrapper."""
    for path in sorted(folder.glob("com_trolltech_qt_*/*.h")):
        for block in re.split(r"\nclass (?=PythonQtWrapper_)", path.read_text(encoding="utf-8"))[1:]:
            name, base = re.match(r"PythonQtWrapper_(\w+) : public (\w+)", block).groups()
            yield name, base.removeprefix("PythonQtWrapper_"), re.split(r"\nclass |\n#endif", block)[0]


def returned(folder: Path, known: set[str]) -> dict[str, dict[str, str]]:
    """Class -> method -> the class that it returns."""
    found: dict[str, dict[str, str]] = {}
    for name, _base, block in blocks(folder):
        for kind, method in re.findall(rf"^\s+(?:const )?(Q\w+)[&* ]+(?:static_{name}_)?(\w+)\(", block, re.M):
            if name in known and kind in known - _BASES and not _OPERATORS.match(method):
                found.setdefault(name, {})[method] = kind
    return found


def wrapped(folder: Path) -> dict[str, tuple[str, set[str]]]:
    """Class -> (the class it derives from in Qt, or ""; its own names)."""
    found: dict[str, tuple[str, set[str]]] = {}
    for name, base, block in blocks(folder):
        names = set()
        for enum, values in re.findall(r"^enum (\w+)\s*\{(.*?)\};", block, re.S | re.M):
            names.update((enum, *re.findall(r"(\w+)\s*=\s*\w+::", values)))
        for method in re.findall(r"^\s*[\w:<>,*& ]*?\b(\w+)\(.*[;{}]", block, re.M):
            names.add(re.sub(rf"^(static_{name}_|py_(get|set|q)_)", "", method))
        found[name] = (base, {each for each in names if not _OPERATORS.match(each)})
    for path in sorted(folder.glob("com_trolltech_qt_*/*_init.cpp")):
        for name, base in re.findall(r'registerCPPClass\("(\w+)", "(\w+)"', path.read_text(encoding="utf-8")):
            if name in found:
                found[name] = (base, found[name][1])
    return found


def reduce(found: dict[str, tuple[str, set[str]]]) -> dict[str, dict]:
    """The facts of CLASSES, in the shape of the other files."""
    import PySide6.QtGui as QtGui
    import PySide6.QtWidgets as QtWidgets
    from PySide6 import QtCore

    facts = {}
    for name in CLASSES:
        if name not in found:
            raise SystemExit(f"no wrapper of {name}")
        cls = next((getattr(part, name) for part in (QtCore, QtGui, QtWidgets) if hasattr(part, name)), object)
        bases = {base.__name__ for base in cls.__mro__[1:] if base.__name__.startswith("Q")}
        bases |= {found[name][0]} & set(CLASSES)
        inherited = set().union(*(found[base][1] for base in bases if base in found))
        facts[f"qt.{name}"] = {
            "class": name,
            "bases": sorted(bases),
            "attributes": sorted(found[name][1] - inherited),
        }
    return facts


def write(name: str, contents: dict) -> None:
    """One line for each class."""
    lines = (f'  "{key}": {json.dumps(facts)}' for key, facts in contents.items())
    (FOLDER / name).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write("pythonqt.json", reduce(wrapped(folder)))
    live = json.loads((FOLDER / "qt.json").read_text(encoding="utf-8"))
    write("returns.json", returned(folder, {*CLASSES, *(name.removeprefix("qt.") for name in live)}))
