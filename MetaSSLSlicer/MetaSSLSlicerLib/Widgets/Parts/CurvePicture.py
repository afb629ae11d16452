"""Draws the loss and the validation Dice of a training into a label, light enough for twice a second."""

from __future__ import annotations

import qt

from ...Translation import _

Points = list[tuple[int, float]]

LOSS_COLOR, DICE_COLOR = "#2E8BC8", "#B87F00"  # readable on light and on dark; the Dice has dots, too
_TOP, _BOTTOM, _SIDE = 20, 18, 4
_GRID = 4


class CurvePicture:
    """Owns what a label shows; the label itself belongs to the layout."""

    def __init__(self, label) -> None:
        self._label = label
        self._drawn = None

    def draw(self, loss: Points, dice: Points, total: int) -> None:
        """Show the curves up to the step `total`; nothing is drawn again when nothing has changed."""
        label = self._label
        color = label.palette.color(qt.QPalette.WindowText).name()
        key = (loss[-1:], len(loss), dice[-1:], total, label.width, label.height, color)
        if key == self._drawn or label.width < 40:
            return
        self._drawn = key
        ratio = label.devicePixelRatioF()
        pixmap = qt.QPixmap(int(label.width * ratio), int(label.height * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(qt.QColor(0, 0, 0, 0))
        painter = qt.QPainter()
        painter.begin(pixmap)
        try:
            painter.setRenderHint(qt.QPainter.Antialiasing)
            self._paint(painter, loss, dice, max([total, *(points[-1][0] for points in (loss, dice) if points)]))
        finally:
            painter.end()
        label.setPixmap(pixmap)

    def _paint(self, painter, loss: Points, dice: Points, total: int) -> None:
        text = self._label.palette.color(qt.QPalette.WindowText)
        faint = qt.QColor(text)
        faint.setAlpha(45)
        width, height = self._label.width, self._label.height
        box = (_SIDE, _TOP, width - 2 * _SIDE, height - _TOP - _BOTTOM)
        painter.setPen(qt.QPen(faint))
        for line in range(_GRID + 1):
            y = box[1] + box[3] * line // _GRID
            painter.drawLine(box[0], y, box[0] + box[2], y)
        if loss:
            self._line(painter, loss, box, total, _range(loss), LOSS_COLOR)
        if dice:
            self._line(painter, dice, box, total, (0.0, 1.0), DICE_COLOR, dots=True)
        half = width // 2
        self._legend(painter, _SIDE, _("Loss"), loss, LOSS_COLOR)
        self._legend(painter, half, _("Validation Dice"), dice, DICE_COLOR)
        painter.setPen(qt.QPen(text))
        bottom = height - _BOTTOM + 2
        painter.drawText(_SIDE, bottom, half, _BOTTOM, qt.Qt.AlignLeft, "0")
        painter.drawText(half, bottom, half - _SIDE, _BOTTOM, qt.Qt.AlignRight, _("step {step}").format(step=total))

    def _line(self, painter, points: Points, box, total: int, values, color: str, dots: bool = False) -> None:
        left, top, width, height = box
        low, high = values
        pen = qt.QPen(qt.QColor(color))
        pen.setWidthF(2.0)
        painter.setPen(pen)
        path, begun = qt.QPainterPath(), False
        for step, value in points:
            x = left + width * step / max(total, 1)
            y = top + height * (1.0 - min(max((value - low) / (high - low), 0.0), 1.0))
            if begun:
                path.lineTo(x, y)
            else:
                path.moveTo(x, y)
                begun = True
            if dots:
                painter.drawEllipse(int(x) - 2, int(y) - 2, 4, 4)
        painter.drawPath(path)

    def _legend(self, painter, left: int, name: str, points: Points, color: str) -> None:
        pen = qt.QPen(qt.QColor(color))
        pen.setWidthF(3.0)
        painter.setPen(pen)
        painter.drawLine(left, 9, left + 12, 9)
        painter.setPen(qt.QPen(self._label.palette.color(qt.QPalette.WindowText)))
        value = f" {points[-1][1]:.2f}" if points else " –"
        painter.drawText(left + 17, 0, self._label.width // 2, _TOP, qt.Qt.AlignLeft, name + value)


def _range(points: Points) -> tuple[float, float]:
    """From the least to nearly the greatest: the first steps may be far above all others."""
    values = sorted(value for _, value in points)
    low, high = values[0], values[int(0.98 * (len(values) - 1))]
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin
