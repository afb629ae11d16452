"""ctkCollapsibleButton and ctkCollapsibleGroupBox: sections that fold."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from .Base import standIn

_HEADER = 22


def _hiddenOnPurpose(widget: QtWidgets.QWidget) -> bool:
    return widget.isHidden() and widget.testAttribute(QtCore.Qt.WidgetAttribute.WA_WState_ExplicitShowHide)


class ctkCollapsibleButton(standIn("ctk.ctkCollapsibleButton", QtWidgets.QAbstractButton)):
    """A button over its contents; checked means open."""

    _isStandIn = True
    _defaults = {"collapsedHeight": 10, "contentsLineWidth": 1}

    def __init__(self, text="", parent=None):
        if isinstance(text, QtWidgets.QWidget):
            text, parent = "", text
        super().__init__(parent)
        self._folded = {}
        self.setText(text or "Button")
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Minimum, QtWidgets.QSizePolicy.Policy.Preferred)
        self.toggled.connect(self._onToggled)

    def _get_collapsed(self):
        return not self.isChecked()

    def _set_collapsed(self, collapsed):
        self.setChecked(not collapsed)

    def _onToggled(self, isOpen):
        self._showContents()
        self._emit("contentsCollapsed(bool)", not isOpen)

    def _showContents(self):
        isOpen = self.isChecked()
        for child in self.children():
            if not isinstance(child, QtWidgets.QWidget):
                continue
            if isOpen and child in self._folded:
                child.setVisible(self._folded.pop(child))
            elif not isOpen and child not in self._folded:
                self._folded[child] = not _hiddenOnPurpose(child)
                child.hide()
                child.installEventFilter(self)
        self._makeRoom()
        self.updateGeometry()

    def eventFilter(self, child, event):
        # A child that is shown while the section is folded waits for it to unfold.
        if child in self._folded and event.type() == QtCore.QEvent.Type.ShowToParent:
            self._folded[child] = True
            child.hide()
        return False

    def _makeRoom(self):
        layout = self.layout()
        margins = None if layout is None else QtWidgets.QLayout.contentsMargins(layout)
        if margins is not None and margins.top() < _HEADER:
            layout.setContentsMargins(margins.left(), margins.top() + _HEADER, margins.right(), margins.bottom())

    def childEvent(self, event):
        super().childEvent(event)
        # The child is not a whole widget yet.
        if event.type() == QtCore.QEvent.Type.ChildAdded and not self.isChecked():
            QtCore.QTimer.singleShot(0, self, self._showContents)

    def event(self, event):
        if event.type() == QtCore.QEvent.Type.LayoutRequest:
            self._makeRoom()
        return super().event(event)

    def hitButton(self, position):
        return position.y() <= _HEADER

    def _height(self, minimum):
        layout = self.layout()
        if layout is None or not self.isChecked():
            return QtCore.QSize(120, _HEADER)
        self._makeRoom()
        inside = layout.minimumSize() if minimum else layout.sizeHint()
        return QtCore.QSize(max(120, inside.width()), inside.height())

    def sizeHint(self):
        return self._height(False)

    def minimumSizeHint(self):
        return self._height(True)

    def hasHeightForWidth(self):
        return self.layout() is not None and self.isChecked() and self.layout().hasHeightForWidth()

    def heightForWidth(self, width):
        return self.layout().totalHeightForWidth(width) if self.hasHeightForWidth() else -1

    def paintEvent(self, event):
        painter = QtWidgets.QStylePainter(self)
        if self.isChecked():
            frame = QtWidgets.QStyleOptionFrame()
            frame.initFrom(self)
            frame.rect = QtCore.QRect(0, _HEADER // 2, self.width, self.height - _HEADER // 2)
            frame.lineWidth = 1
            painter.drawPrimitive(QtWidgets.QStyle.PrimitiveElement.PE_FrameGroupBox, frame)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width, _HEADER)
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButtonBevel, option)
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QtCore.QRect(6, 6, 10, 10)
        kinds = QtWidgets.QStyle.PrimitiveElement
        painter.drawPrimitive(kinds.PE_IndicatorArrowDown if self.isChecked() else kinds.PE_IndicatorArrowRight, arrow)
        flags = QtCore.Qt.AlignmentFlag.AlignLeft | QtCore.Qt.AlignmentFlag.AlignVCenter
        painter.drawText(option.rect.adjusted(22, 0, -8, 0), flags, self.text)


class ctkCollapsibleGroupBox(standIn("ctk.ctkCollapsibleGroupBox", QtWidgets.QGroupBox)):
    """A group box that folds; checked means open."""

    _isStandIn = True

    def __init__(self, title="", parent=None):
        if isinstance(title, QtWidgets.QWidget):
            title, parent = "", title
        super().__init__(title, parent)
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._showContents)

    def _get_collapsed(self):
        return not self.isChecked()

    def _set_collapsed(self, collapsed):
        self.setChecked(not collapsed)
        self._showContents()

    def _showContents(self, *_):
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget):
                child.setVisible(self.isChecked())
        self.setMaximumHeight(16777215 if self.isChecked() else 22)

    def childEvent(self, event):
        super().childEvent(event)
        if event.type() == QtCore.QEvent.Type.ChildAdded and not self.isChecked():
            QtCore.QTimer.singleShot(0, self, self._showContents)
