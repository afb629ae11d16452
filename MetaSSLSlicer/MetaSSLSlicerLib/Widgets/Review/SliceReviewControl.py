"""Reviewing slice by slice: how many slices are left, how long they take, the next one, and that they are done."""

from __future__ import annotations

import qt
from metassl.project.effort.words import roundly
from metassl.project.words import plural

from ...Durations import briefDuration
from ...Logic.Review.SliceReview import SliceReview
from ...Translation import _
from ..Section import Section, onClick
from ..Shortcuts import KEYS, withKey

_NAMED = 12


class SliceReviewControl(Section):
    """Fills an empty widget, which is seen where it is known what is wrong in which slice."""

    def __init__(self, widget, slices: SliceReview) -> None:
        super().__init__()
        self.widget, self._slices = widget, slices
        self.label, self.nextButton, self.doneButton = qt.QLabel(), qt.QPushButton(), qt.QPushButton()
        self._build()
        self.listen((slices.changed, self.refresh))
        self.refresh()

    def refresh(self) -> None:
        """Show which slice is shown, and what is left."""
        slices, plan = self._slices, self._slices.plan
        self.widget.setVisible(plan is not None)
        if plan is None:
            return
        self.label.text = " ".join(filter(None, [self._shownText(), self._leftText(), self._doneText()]))
        self.label.toolTip = self._doneHint()
        self.nextButton.setEnabled(bool(plan.waiting))
        count = len(slices.visited)
        text = plural(count, _("✓ I did this slice"), _("✓ I did these slices")) if count else _("✓ I did this slice")
        self.doneButton.text = withKey(text, "didSlices")

    def _build(self) -> None:
        self.label.wordWrap = True
        self.nextButton.text = withKey(_("Next slice"), "nextSlice")
        hint = _("Show the slice that most is expected to be wrong in, of those that were not shown yet")
        self.nextButton.toolTip = _("{text} (key {key})").format(text=hint, key=KEYS["nextSlice"])
        hint = _("Take the slices that were shown, and those that you changed, into the label; the rest stays open")
        self.doneButton.toolTip = _("{text} (key {key})").format(text=hint, key=KEYS["didSlices"])
        layout = qt.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.label)
        row = qt.QHBoxLayout()
        layout.addLayout(row)  # before it is filled: a widget without a parent would be gone at once
        for button, action in ((self.nextButton, self._slices.next), (self.doneButton, self._slices.take)):
            onClick((button, action))
            row.addWidget(button)

    def _shownText(self) -> str:
        plan, current = self._slices.plan, self._slices.current
        if current is None:
            return ""
        text = _("Slice {number}: about {duration}.")
        return text.format(number=current, duration=briefDuration(roundly(plan.seconds[current])))

    def _leftText(self) -> str:
        slices = self._slices
        if not slices.left:
            return (
                _("No slice that is worth it is left.")
                if slices.visited or slices.plan.done
                else _("No slice to correct.")
            )
        count = plural(len(slices.left), _("1 slice"), _("{count} slices"))
        duration = briefDuration(roundly(slices.secondsLeft))
        return _("{slices} worth correcting: about {duration}.").format(slices=count, duration=duration)

    def _doneText(self) -> str:
        done = len(self._slices.plan.done)
        return plural(done, _("1 is done."), _("{count} are done.")) if done else ""

    def _doneHint(self) -> str:
        done = self._slices.plan.done
        if not done:
            return ""
        more = ", ..." if len(done) > _NAMED else ""
        return _("Done: {numbers}").format(numbers=", ".join(map(str, done[:_NAMED])) + more)
