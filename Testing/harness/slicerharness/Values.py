"""How PythonQt treats values: which objects are false, and which value types a method cannot return.

Both as in PythonQt's wrappers for Qt 5.15. An object of any other class is true, whatever it holds.
"""

from __future__ import annotations

import sys
from types import GeneratorType

from PySide6.QtCore import QObject

from .Facts import factsOfClass

_FALSE_IF_EMPTY = (
    "QLayout QLayoutItem QMenu QDir QBitArray QByteArray QItemSelection QItemSelectionRange QJsonArray QJsonDocument "
    "QJsonObject QKeySequence QPainterPath QPolygon QPolygonF QProcessEnvironment QRect QRectF QRegion QSize QSizeF "
    "QTextDocument QTextDocumentFragment QTextFormat QTextList QTranslator QUrl QUrlQuery"
).split()
_FALSE_IF_NULL = (
    "QHostAddress QIcon QImage QJsonValue QLine QLineF QMargins QMarginsF QPicture QPixmap QPoint QPointF "
    "QQuaternion QTextCursor QUuid QVector2D QVector3D QVector4D"
).split()
_FALSE_IF_INVALID = (
    "QAbstractSocket QColor QColorSpace QDate QDateTime QElapsedTimer QLocalSocket QMetaEnum QMetaMethod QMetaProperty "
    "QMimeType QModelIndex QMovie QPageLayout QPageSize QPersistentModelIndex QRawFont QRegularExpression "
    "QRegularExpressionMatch QStorageInfo QSvgRenderer QTemporaryDir QTextBlock QTextFragment QTextLine QTextTableCell "
    "QTime QTimeZone"
).split()

UNKNOWN = frozenset(
    "QFontInfo QFontMetrics QFontMetricsF QFileInfo QHostAddress QHostInfo QItemSelection QItemSelectionRange QMargins "
    "QMarginsF QMetaEnum QMetaMethod QMetaProperty QMimeType QNetworkConfiguration QNetworkDatagram QNetworkInterface "
    "QNetworkProxy QNetworkRequest QPageLayout QPageSize QPainterPath QPixelFormat QRawFont "
    "QRegularExpressionMatch QRegularExpressionMatchIterator QSslConfiguration QStorageInfo QStyleOptionViewItem "
    "QSurfaceFormat QTextBlock QTextBlockFormat QTextCharFormat QTextCursor QTextDocumentFragment QTextFrameFormat "
    "QTextImageFormat QTextLine QTextListFormat QTextOption QTextTableCell QTextTableFormat QTimeZone QDir".split()
)
"""Value types that are no meta types in Qt 5 by themselves; where some Slicer has registered one, it works there."""
RETURN_UNKNOWN = frozenset(
    "fontMetrics fontInfo contentsMargins textCursor cursorForPosition currentCharFormat viewOptions".split()
)
"""Methods of Qt's classes that return one of them, whatever the class."""

_NO_LISTS = frozenset(
    (GeneratorType, map, filter, zip, reversed, set, frozenset, type({}.keys()), type({}.values()), type({}.items()))
)
_unknown: set[type] = set()


def prepare(classOf) -> None:
    """Give the classes PythonQt's truth, for which the extension may not ask; `classOf(name)` gives a class or None."""
    _unknown.update(cls for name in UNKNOWN if (cls := classOf(name)) is not None)
    for names, truth in (
        (["QObject"], lambda self: True),
        (_FALSE_IF_EMPTY, lambda self: not self.isEmpty()),
        (_FALSE_IF_NULL, lambda self: not self.isNull()),
        (_FALSE_IF_INVALID, lambda self: self.isValid()),
    ):
        for name in names:
            cls = classOf(name)
            if cls is not None:
                cls.__bool__ = _outsideTheModule(truth)


def _outsideTheModule(truth):
    def bool_(self):
        if byTheModule(sys._getframe(1)):
            raise AssertionError(f"the truth of a {type(self).__name__} is asked for: write `is not None`")
        return truth(self)

    return bool_


def byTheModule(frame) -> bool:
    """Is it code of the extension that runs in this frame?"""
    return frame.f_globals.get("__name__", "").startswith("MetaSSLSlicer")


def refuseNewerNames(modules, namesOf) -> None:
    """Hide from the extension what PySide's values (items, colours, events ...) have and PythonQt's have not."""
    for module in modules:
        for cls in (getattr(module, name) for name in namesOf(module)):
            facts = factsOfClass(cls.__name__) if isinstance(cls, type) and not issubclass(cls, QObject) else None
            if facts is None:
                continue
            for name, value in list(vars(cls).items()):
                if not name.startswith("_") and (name in RETURN_UNKNOWN or not facts.has(name)):
                    setattr(cls, name, _Hidden(name, cls.__name__, value))


class _Hidden:
    def __init__(self, name: str, className: str, value) -> None:
        self._name, self._className, self._value = name, className, value

    def __get__(self, instance, owner):
        if byTheModule(sys._getframe(1)):
            raise AttributeError(f"'{self._className}' has no attribute '{self._name}' that works in desktop Slicer")
        value = self._value
        return value.__get__(instance, owner) if hasattr(type(value), "__get__") else value


def alive(function, *arguments):
    """Call it; a C++ object that is destroyed already raises PythonQt's error."""
    try:
        return function(*arguments)
    except RuntimeError as error:
        raise _asPythonQt(error) from None


def _asPythonQt(error: RuntimeError) -> Exception:
    if "already deleted" not in str(error):
        return error
    return ValueError(f"Trying to call a method on a destroyed object: {error}")


class NativeMethod:
    """A bound method of a C++ object: it takes no iterators, its lists come back as tuples, and not all types do."""

    __slots__ = ("method",)

    def __init__(self, method) -> None:
        self.method = method

    def __call__(self, *arguments, **named):
        for argument in arguments:
            if type(argument) in _NO_LISTS:
                raise ValueError(f"{self.method.__name__}: PythonQt takes a list or a tuple, not {argument!r}")
        try:
            result = self.method(*arguments, **named)
        except RuntimeError as error:
            raise _asPythonQt(error) from None
        kind = type(result)
        if kind is list:
            return tuple(result)
        if kind in _unknown:
            name = kind.__name__
            raise ValueError(
                f"{self.method.__name__}(): return type '{name}' is ignored because it is unknown to PythonQt"
            )
        return result

    def __getattr__(self, name):
        return getattr(self.method, name)

    def __eq__(self, other) -> bool:
        return self.method == getattr(other, "method", other)

    def __hash__(self) -> int:
        return hash(self.method)
