"""ctkSliderWidget, ctkDoubleSpinBox and ctkRangeWidget: numbers."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from .Base import rowLayout, standIn

_STEPS = 1000


class _Number:
    """A value between bounds, shown in a spin box and, for a slider, on a slider."""

    _isStandIn = True
    _defaults = {
        "maximum": 99.0,
        "singleStep": 1.0,
        "pageStep": 10.0,
        "decimals": 2,
        "tracking": True,
        "spinBoxVisible": True,
    }
    _hasSlider = False

    def __init__(self, *arguments):
        super().__init__(arguments[-1] if arguments and isinstance(arguments[-1], QtWidgets.QWidget) else None)
        self._number = 0.0
        self._spin = QtWidgets.QDoubleSpinBox(self)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal, self) if self._hasSlider else None
        rowLayout(self, *([self._slider] if self._slider else []), self._spin)
        self._show()
        self._spin.connect("valueChanged(double)", self.setValue)
        if self._slider:
            self._slider.setMaximum(_STEPS)
            self._slider.valueChanged.connect(self._onSlider)

    def _get_value(self):
        return self._number

    def _set_value(self, value):
        value = round(min(max(float(value), self.minimum), self.maximum), self.decimals)
        changed, self._number = value != self._number, value
        self._show()
        if changed:
            self._emit("valueChanged(double)", value)

    def setValue(self, value):
        self._set_value(value)

    def _changed(self, name):
        if name in ("minimum", "maximum", "decimals"):
            self._set_value(self._number)
        self._show()

    def _onSlider(self, step):
        self._set_value(self.minimum + (self.maximum - self.minimum) * step / _STEPS)

    def _show(self):
        blocked = QtCore.QSignalBlocker(self._spin)
        self._spin.setDecimals(self.decimals)
        self._spin.setRange(self.minimum, self.maximum)
        self._spin.setSingleStep(self.singleStep)
        self._spin.setPrefix(self.prefix)
        self._spin.setSuffix(self.suffix)
        self._spin.setValue(self._number)
        del blocked
        if self._slider:
            self._spin.setVisible(self.spinBoxVisible)
            blocked = QtCore.QSignalBlocker(self._slider)
            room = (self.maximum - self.minimum) or 1.0
            self._slider.setValue(round(_STEPS * (self._number - self.minimum) / room))
            del blocked


class ctkSliderWidget(_Number, standIn("ctk.ctkSliderWidget")):
    """A slider and a spin box with one value."""

    _isStandIn = True
    _hasSlider = True

    def reset(self):
        self._set_value(0.0)


class ctkDoubleSpinBox(_Number, standIn("ctk.ctkDoubleSpinBox")):
    """A spin box."""

    _isStandIn = True


class ctkRangeWidget(standIn("ctk.ctkRangeWidget")):
    """Two values between bounds."""

    _isStandIn = True
    _defaults = {"maximum": 99.0, "maximumValue": 99.0, "singleStep": 1.0, "decimals": 2}

    def __init__(self, parent=None):
        super().__init__(parent)
        self._low, self._high = QtWidgets.QDoubleSpinBox(self), QtWidgets.QDoubleSpinBox(self)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal, self)
        rowLayout(self, self._slider, self._low, self._high)
        self._changed("")

    def setRange(self, minimum, maximum):
        self.minimum, self.maximum = minimum, maximum

    def setValues(self, low, high):
        self.minimumValue, self.maximumValue = low, high

    def _changed(self, name):
        for spin, value in ((self._low, self.minimumValue), (self._high, self.maximumValue)):
            spin.setRange(self.minimum, self.maximum)
            spin.setValue(value)
        if name in ("minimumValue", "maximumValue"):
            self._emit(f"{name}Changed(double)", getattr(self, name))
            self._emit("valuesChanged(double,double)", self.minimumValue, self.maximumValue)
