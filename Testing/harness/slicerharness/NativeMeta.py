"""Properties and signals of PySide's classes, read once: a class's QMetaObject dies in Python with its objects."""

from __future__ import annotations

from PySide6.QtCore import QMetaMethod, QObject

_properties: dict[type, frozenset[str]] = {}
_signals: dict[type, tuple[str, ...]] = {}
_methods: dict[type, frozenset[str]] = {}


def read(classes) -> None:
    """Read what each of the classes itself adds."""
    for cls in classes:
        meta = cls.staticMetaObject
        names = (meta.property(index).name() for index in range(meta.propertyOffset(), meta.propertyCount()))
        methods = [meta.method(index) for index in range(meta.methodOffset(), meta.methodCount())]
        signals = [method for method in methods if method.methodType() == QMetaMethod.MethodType.Signal]
        _properties[cls] = frozenset(names)
        _methods[cls] = frozenset(method.name().data().decode() for method in methods)
        _signals[cls] = tuple(signal.methodSignature().data().decode() for signal in signals)


def hasProperty(cls: type, name: str) -> bool:
    """Has the class, or one it derives from, this property?"""
    return any(name in _properties.get(base, ()) for base in cls.__mro__)


def knows(cls: type, name: str) -> bool:
    """Has the class, or one it derives from, a property, signal or slot of this name?"""
    return hasProperty(cls, name) or any(name in _methods.get(base, ()) for base in cls.__mro__)


def propertiesOf(cls: type) -> frozenset[str]:
    """The properties that the class itself adds."""
    return _properties.get(cls, frozenset())


def signalsOf(cls: type) -> list[str]:
    """The signatures of the class's signals and of those it inherits."""
    return [signature for base in cls.__mro__ for signature in _signals.get(base, ())]


def ownSignals() -> dict[type, tuple[str, ...]]:
    """Class -> the signatures that it adds."""
    return dict(_signals)


def allClasses(modules, namesOf) -> set[type]:
    """Every class of these modules that is a QObject."""
    found = {getattr(module, name) for module in modules for name in namesOf(module)}
    return {cls for cls in found if isinstance(cls, type) and issubclass(cls, QObject)}
