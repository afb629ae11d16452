"""How good the segmentation is, and how far its uncertainty can be believed."""

from __future__ import annotations

from typing import Any

from metassl.project.words import NO_BREAK, count

from .charts import dot_strip, reliability_chart
from .content import Content
from .markup import Markup, join, table, tag
from .words import NONE, interval, number, percent, words


def quality_section(content: Content) -> Markup:
    """The evaluation, or how to get one."""
    parts = _measured(content.evaluation, content.known_cases) if content.evaluation else _not_measured(content)
    return tag("section", tag("h2", "How good it is"), parts, id="quality")


def _not_measured(content: Content) -> Markup:
    command = f"metassl evaluate {content.project.path} --truth FOLDER"
    text = [
        "Not yet measured against true annotations. With a folder of them: ",
        tag("code", command),
    ]
    validation = (content.status.validation or {}).get("dice") or {}
    watched = None
    if validation.get("mean") is not None:
        per_class = validation.get("per_class") or {}
        listed = ", ".join(f"{name} {number(value)}" for name, value in per_class.items())
        watched = tag(
            "p",
            f"Dice on the validation cases watched while training: {number(validation['mean'])}",
            f" ({listed})." if listed else ".",
        )
    return join([tag("p", text), watched])


def _measured(evaluation: dict[str, Any], trained: list[str]) -> Markup:
    cases, missing = evaluation["n_cases"], len(evaluation["failed"])
    group = evaluation.get("group")
    which = f"{group} " if group in ("test", "validation", "unlabelled") else ""
    lead = (
        f"Measured on {count(cases, f'{which}case')} with a true annotation"
        + (f"; {missing} more could not be measured" if missing else "")
        + ". Intervals are 95 % over cases (bootstrap)."
    )
    return join(
        [
            tag("p", lead, class_="lead"),
            _trained(trained, evaluation.get("trained_on") or []),
            _structures(evaluation),
            _uncertainty(evaluation),
            _predicted_dice(evaluation.get("predicted_dice")),
            _fitted(evaluation.get("fitted_on") or []),
            _cases(evaluation),
            _failed(evaluation["failed"]),
        ]
    )


def _trained(measured: list[str], left_out: list[str]) -> Markup | None:
    if measured:
        text = f"The model was trained on {len(measured)} of these cases: there the figures look better than they are."
    elif left_out:
        text = f"Left out: {count(len(left_out), 'case')} that the model was trained on."
    else:
        return None
    return tag("p", text, class_="note")


def _structures(evaluation: dict[str, Any]) -> Markup:
    dice, hd95, assd = (evaluation[key] for key in ("dice", "hd95_mm", "assd_mm"))
    each = {
        name: [
            row["labels"][name]["dice"]
            for row in evaluation["cases"].values()
            if row["labels"][name]["dice"] is not None
        ]
        for name in evaluation["labels"]
    }
    means = [row["dice"] for row in evaluation["cases"].values() if row["dice"] is not None]
    low = _lowest([*means, *(value for values in each.values() for value in values)])
    rows = [
        [
            tag("th", name, scope="row"),
            _strip(each[name], dice["per_class"][name], dice["per_class_interval"][name], low, name),
            number(dice["per_class"][name]),
            interval(dice["per_class_interval"][name]) or NONE,
            number(hd95["per_class"][name], 2),
            number(assd["per_class"][name], 2),
            str(evaluation["missed"][name]),
            str(evaluation["invented"][name]),
        ]
        for name in evaluation["labels"]
    ]
    rows.append(
        [
            tag("th", "Mean", scope="row", class_="total"),
            _strip(means, dice["mean"], dice["interval"], low, "the mean"),
            number(dice["mean"]),
            interval(dice["interval"]) or NONE,
            number(hd95["mean"], 2),
            number(assd["mean"], 2),
            str(sum(evaluation["missed"].values())),
            str(sum(evaluation["invented"].values())),
        ]
    )
    heads = [
        "Structure",
        f"Dice of each case ({low:g} to 1)",
        "Dice",
        "95 % interval",
        "HD95 mm",
        "ASSD mm",
        "Missed",
        "Invented",
    ]
    return table(heads, rows, "llrrrrrr", class_="structures")


def _strip(values: list[float], mean: float | None, ends, low: float, name: str) -> Any:
    if not values or mean is None:
        return NONE
    return dot_strip(values, mean, ends, low, f"Dice of {name} in each case, mean {mean:.3f}")


def _lowest(values: list[float]) -> float:
    """Where the axis of the dots begins: the last tenth below all of them, but 0.9 at most."""
    return min(int(min(values, default=0.0) * 10) / 10, 0.9)


def _uncertainty(evaluation: dict[str, Any]) -> Markup | None:
    everywhere, band = evaluation["uncertainty"], evaluation["band"]
    if not everywhere.get("voxels"):
        return None
    near = f"Within {band.get('within_voxels', 3)} voxels of a structure"
    rows = [
        [
            tag("th", name, scope="row"),
            number(row["auroc"]),
            interval(row.get("auroc_interval")) or NONE,
            number(row["auprc"]),
            number(row["ece"]),
        ]
        for name, row in (("Everywhere", everywhere), (near, band))
    ]
    heads = ["", "AUROC", "95 % interval", "AUPRC", "Calibration error"]
    top = [
        [f"{share}{NO_BREAK}%", _meter(found), percent(found)]
        for share, found in (band.get("errors_in_flagged_share") or {}).items()
    ]
    learnt = band.get("error_probability")
    if learnt:
        rows.append(
            [
                tag("th", "Learnt P(error), there", scope="row"),
                number(learnt["auroc"]),
                interval(learnt.get("auroc_interval")) or NONE,
                number(learnt["auprc"]),
                number(learnt["ece"]),
            ]
        )
    chart = reliability_chart(everywhere.get("reliability") or [], "error rate by uncertainty")
    figures = tag(
        "div",
        tag("h3", "Does the uncertainty find the errors?"),
        table(heads, rows, "lrrrr"),
        tag("h4", "Errors found by looking only at the flagged share of that band"),
        table(["Looked at", "Errors found", ""], top, "llr", class_="top"),
    )
    plot = tag(
        "figure",
        tag("h4", "Error rate by uncertainty"),
        chart,
        tag("figcaption", "On the dashed line the uncertainty is the error rate."),
    )
    return tag("div", figures, plot, class_="split")


def _predicted_dice(agreement: dict[str, Any] | None) -> Markup | None:
    if not agreement:
        return None
    ends = interval(agreement["spearman_interval"], 2)
    text = (
        "Predicted before these annotations were seen, Dice had a rank correlation of "
        f"{number(agreement['spearman'], 2)}"
        f"{f' ({ends})' if ends else ''} with the true one over {count(agreement['cases'], 'case')} and was off by "
        f"{number(agreement['mean_error'])} on average; its {percent(agreement['level'])} interval held "
        f"{percent(agreement['coverage'])} of them."
    )
    return tag("p", text, class_="finding")


def _fitted(cases: list[str]) -> Markup | None:
    if not cases:
        return None
    text = (
        "P(error) and the predicted Dice were learnt on validation cases, so they are not judged on "
        f"{len(cases)} of these cases."
    )
    return tag("p", text, class_="source")


def _meter(share: float | None) -> Markup:
    fill = tag("span", style=f"width:{100 * (share or 0):.1f}%", class_="fill")
    return tag("span", fill, class_="meter wide")


def _cases(evaluation: dict[str, Any]) -> Markup:
    names = evaluation["labels"]
    ordered = sorted(
        evaluation["cases"].items(),
        key=lambda item: (item[1]["dice"] is not None, item[1]["dice"] or 0.0, item[0]),
    )
    rows = []
    for case, row in ordered:
        dice = [number(row["labels"][name]["dice"]) for name in names]
        hd95 = [number(row["labels"][name]["hd95_mm"], 2) for name in names]
        remarks = [f"{words(kind)} {', '.join(row[kind])}" for kind in ("missed", "invented") if row.get(kind)]
        flagged = percent(row.get("errors_flagged"))
        rows.append([case, number(row["dice"]), *dice, *hd95, flagged, "; ".join(remarks)])
    heads = [
        "Case",
        "Dice",
        *names,
        *(f"HD95 {name}" for name in names),
        "Errors in US, DC, DS",
        "",
    ]
    listed = table(heads, rows, "l" + "r" * (2 + 2 * len(names)) + "l", class_="dense")
    return tag("details", tag("summary", "Every case, the worst first"), listed)


def _failed(failed: dict[str, str]) -> Markup | None:
    if not failed:
        return None
    listed = tag("ul", [tag("li", reason) for reason in failed.values()])
    return tag("div", tag("h3", "Not measured"), listed, class_="note")
