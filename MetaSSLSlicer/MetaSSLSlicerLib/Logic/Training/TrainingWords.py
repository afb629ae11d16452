"""What a training does, in words for the panel."""

from __future__ import annotations

from metassl.jobs import JobStatus

from ...Durations import briefDuration
from ...Translation import _

WARNINGS_SHOWN = 3


def stageText(status: JobStatus) -> str:
    """ "Training", "Predicting the other cases" or how it ended."""
    if status.state == "running":
        return _stages().get(status.stage, _("Starting"))
    if status.state == "queued":
        text = _("Waits on {machine}: {reason}") if status.queue else _("Waits on {machine}")
        return text.format(machine=status.machine, reason=status.queue)
    if status.state == "finished":
        return _("Finished. Cases predicted: {count}").format(count=status.predicted)
    if status.state == "paused":
        return _("Stopped at step {step}. Nothing is lost.").format(step=status.step)
    if status.state == "created":
        return _("Not started yet")
    return _("Ended before it was finished")


def detailText(status: JobStatus) -> str:
    """ "step 120 of 400 · 1 min 20 s left · 2 min 10 s so far · memory 1.2 GB"."""
    parts = []
    if status.state == "running" and status.total:
        text = _counts().get(status.stage, _("{step} of {total}"))
        parts.append(text.format(step=status.step, total=status.total))
    if status.state == "running" and status.eta_s is not None:
        parts.append(_("{time} left").format(time=briefDuration(status.eta_s)))
    if status.elapsed_s:
        text = _("{time} so far") if status.state == "running" else _("took {time}")
        parts.append(text.format(time=briefDuration(status.elapsed_s)))
    if status.state == "running" and status.memory_mb:
        parts.append(_("memory {size:.1f}\u00a0GB").format(size=status.memory_mb / 1024))
    mean = ((status.validation or {}).get("dice") or {}).get("mean")
    if mean is not None:
        parts.append(_("Dice {dice:.2f}").format(dice=mean))
    return " · ".join(parts)


def noticeText(status: JobStatus) -> str:
    """The warnings and the cases that were left out, a line each; "" when there is none."""
    lines = [_("Note: {text}").format(text=text) for text in status.warnings]
    lines += [_("Left out: {reason}").format(reason=reason or case) for case, reason in status.failed_cases.items()]
    more = len(lines) - WARNINGS_SHOWN
    lines = lines[-WARNINGS_SHOWN:]
    if more > 0:
        lines.append(_("... and {count} more: see the log").format(count=more))
    return "\n".join(lines)


def _counts() -> dict[str, str]:
    return {
        "training": _("step {step} of {total}"),
        "sending": _("{step} of {total}\u00a0MB"),
        "fetching": _("{total} files are still to come"),
    }


def _stages() -> dict[str, str]:
    return {
        "sending": _("Copying to the other computer"),
        "fetching": _("Bringing the results back"),
        "preparing": _("Preparing the images"),
        "training": _("Training"),
        "calibrating": _("Measuring how sure the model is"),
        "measuring": _("Measuring how often the map is right"),
        "predicting": _("Predicting the other cases"),
        "ranking": _("Ranking what to look at next"),
    }
