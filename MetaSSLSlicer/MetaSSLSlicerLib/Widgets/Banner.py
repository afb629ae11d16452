"""One message at the top of the panel, with at most one thing to do about it. It stays until it is answered."""

from __future__ import annotations

import qt

from ..Logic.Case.Session import Message
from ..Translation import _
from .Section import Section, onClick

_COLORS = {"info": "#308CC6", "warning": "#B87F00", "error": "#D55E00"}  # each 3 : 1 on Slicer's light and dark windows
_MARKS = {"info": "i", "warning": "!", "error": "×"}
_INFO_MS = 6000
_OFFER_MS = 60000  # what can be taken back is seldom noticed at once


class Banner(Section):
    """Shows the newest message. What only informs goes away by itself; a warning, an error or an offer about the open
    case does not, and the offer comes again after what was said meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.widget = qt.QFrame()
        self.widget.setObjectName("messageBanner")
        layout = qt.QVBoxLayout(self.widget)
        self.label = qt.QLabel()
        self.label.setWordWrap(True)
        self.label.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Preferred)  # long paths do not widen the panel
        self.label.setTextInteractionFlags(qt.Qt.TextSelectableByMouse)
        self.mark = qt.QLabel()
        self.mark.setStyleSheet("font-weight: bold;")
        row = qt.QHBoxLayout()
        row.addWidget(self.mark, 0, qt.Qt.AlignTop)
        row.addWidget(self.label, 1)
        layout.addLayout(row)
        buttons = qt.QHBoxLayout()
        buttons.addStretch(1)
        self.actionButton, self.closeButton = qt.QPushButton(), qt.QPushButton(_("Dismiss"))
        buttons.addWidget(self.actionButton)
        buttons.addWidget(self.closeButton)
        layout.addLayout(buttons)
        onClick((self.actionButton, self._act), (self.closeButton, self.hide))
        self._timer = self.makeTimer(_INFO_MS, self.hide, once=True)
        self.message: Message | None = None
        self._offer: Message | None = None
        self.hide()

    def show(self, message: Message) -> None:
        """Show `message`. News never hides an error that nobody has dismissed."""
        isOffer = message.level == "info" and message.isOfCase
        if isOffer:
            self._offer = message
        if self.message is not None and self.message.level == "error" and message.level == "info":
            return
        self.message = message
        color = _COLORS[message.level]
        border = f"border: 1px solid {color}; border-left: 5px solid {color};"
        self.widget.setStyleSheet(f"QFrame#messageBanner {{ {border} }}")
        self.mark.text = _MARKS[message.level]
        self.label.text = self.label.toolTip = message.text
        self.actionButton.text = message.actionText
        self.actionButton.setVisible(message.action is not None)
        isPassing = message.level == "info" and not isOffer
        self.closeButton.setVisible(not isPassing)
        self.widget.setVisible(True)
        if isPassing:
            self._timer.setInterval(_INFO_MS if message.action is None else _OFFER_MS)
            self._timer.start()
        else:
            self._timer.stop()

    def hide(self) -> None:
        """Take the message away; an offer that it stood before is seen again."""
        gone, self.message = self.message, None
        if self._offer is not None and gone is not self._offer:
            self.show(self._offer)
            return
        self._offer = None
        self.widget.setVisible(False)

    def caseClosed(self) -> None:
        """What was offered to do with the case that was open cannot be done any more."""
        self._offer = None
        if self.message is not None and self.message.isOfCase:
            self.hide()

    def _act(self) -> None:
        action = self.message.action if self.message is not None else None
        self.hide()
        if action is not None:
            action()
