"""The column "expected Dice" of a table of cases; it is not there before it has been measured."""

from __future__ import annotations

from metassl.project import MetaSSLError, Round, read_json


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
            summary = read_json(self._round.prediction(case_id).summary, f"the summary of case {case_id}")
            predicted = summary["predicted_dice"]
            low, high = predicted["interval"]
            return (f"{predicted['mean']:.2f} ({low:.2f} to {high:.2f})",)
        except (MetaSSLError, KeyError, TypeError, ValueError):
            return ("-",)

    def _measured(self) -> bool:
        path = self._round.path / "error_rates.json"
        try:
            return bool(path.is_file() and read_json(path, "the measured error rates").get("dice_model"))
        except MetaSSLError:
            return False
