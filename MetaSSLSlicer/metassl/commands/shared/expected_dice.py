"""The column "expected Dice" of a table of cases; it is not there before it has been measured."""

from __future__ import annotations

from metassl.files import MetaSSLError
from metassl.project import Round
from metassl.project.round_files import read_error_rates, read_summary


class ExpectedDice:
    """Called with a case it gives the cells to add to the row: one, or none when the round predicts no Dice."""

    def __init__(self, found: Round) -> None:
        self._round = found
        self.heading = ("expected Dice",) if self._measured() else ()

    def __call__(self, case_id: str) -> tuple[str, ...]:
        """ "0.84 (0.79 to 0.89)", or "-" for a case without a structure."""
        if not self.heading:
            return ()
        try:
            predicted = read_summary(self._round.prediction(case_id).summary, case_id).predicted_dice
        except MetaSSLError:
            predicted = None
        if predicted is None:
            return ("-",)
        low, high = predicted.interval
        return (f"{predicted.mean:.2f} ({low:.2f} to {high:.2f})",)

    def _measured(self) -> bool:
        try:
            measured = read_error_rates(self._round)
        except MetaSSLError:
            return False
        return measured is not None and bool(measured.dice_model)
