"""A cohort that an oracle finishes: what its work costs, what it leaves, and that a killed play goes on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from in_process import trainings_in_this_process
from metassl.cli import main
from metassl.evaluation.metrics import surface_dice
from metassl.files import MetaSSLError, write_json
from metassl.finish.audit import read_audits
from metassl.imaging import Geometry, read_labels, write_array
from metassl.jobs import JobRecord, JobWriter, start
from metassl.project import Project, Round
from metassl.project.effort.cost import Costs
from metassl.project.effort.expected import Effort
from metassl.project.masks import dilate
from metassl.project.round_files import read_summary
from metassl_research.cohort.arms import Arm, chosen_arms
from metassl_research.cohort.costs import Work, read_costs
from metassl_research.cohort.data import Cohort
from metassl_research.cohort.oracle import Oracle
from metassl_research.cohort.outcome import write_outcome
from metassl_research.cohort.play import Play
from metassl_research.cohort.results import Results
from metassl_research.cohort.settings import Settings
from predicting import predict

COSTS = Costs(open_case=10, arrive=3, look_slice=2, correct_slice=6, correct_voxel=0.05, draw_case=11, draw_slice=10)
GRID = Geometry((16, 16, 12), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))


def box(first: int = 3, last: int = 9) -> np.ndarray:
    """A structure in the slices first .. last - 1."""
    truth = np.zeros(GRID.shape_zyx, np.uint8)
    truth[first:last, 4:12, 4:12] = 1
    return truth


@pytest.fixture
def oracle(tmp_path: Path) -> Oracle:
    write_array(tmp_path / "truth.nrrd", box(), GRID)
    return Oracle(lambda case: tmp_path / "truth.nrrd", [1], COSTS, 1.5)


def test_drawing_costs_the_case_and_each_slice_that_shows_something(oracle):
    truth, _, work = oracle.draw("a")
    assert (truth == box()).all() and work == Work(draw=11 + 6 * 10) and work.seconds == 71


def test_errors_no_deeper_than_the_tolerance_cost_nothing_but_the_looks_and_stay(oracle):
    prediction = box(2, 10)
    review = oracle.review("a", prediction, GRID)
    assert (review.label == prediction).all() and not review.corrected
    assert review.looked == list(range(1, 11)), "from one slice before the first predicted one to one after the last"
    assert review.work == Work(open=10, look=20)


def test_a_deep_error_is_corrected_to_the_true_border_and_shallow_ones_elsewhere_are_left(oracle):
    prediction = box()
    prediction[5, 4:12, 12:15] = 1  # three voxels too far: the last two of each row are deep
    prediction[5, 3, 4] = 1  # one voxel, far away from these
    review = oracle.review("a", prediction, GRID)
    assert review.corrected == [5]
    assert review.work.correct == 6 + 0.05 * 8 * 3
    wanted = box()
    wanted[5, 3, 4] = 1
    assert (review.label == wanted).all()


def test_a_deep_error_that_is_too_small_to_be_seen_stays(tmp_path, oracle):
    prediction = box()
    prediction[5, 4:12, 12:15] = 1  # 16 voxels of 1 mm² are deep
    blind = Oracle(lambda case: tmp_path / "truth.nrrd", [1], COSTS, 1.5, 17.0)
    review = blind.review("a", prediction, GRID)
    assert not review.corrected and (review.label == prediction).all() and review.work.correct == 0
    assert Oracle(lambda case: tmp_path / "truth.nrrd", [1], COSTS, 1.5, 16.0).review("a", prediction, GRID).corrected


def test_a_slice_with_much_to_correct_costs_no_more_than_drawing_it(oracle):
    prediction = box()
    prediction[5] = 1
    assert oracle.review("a", prediction, GRID).work.correct == 10


def test_whoever_is_told_where_to_look_comes_there_and_goes_on_beside_what_was_wrong(oracle):
    prediction = box()
    prediction[4:6, 4:12, 12:15] = 1
    review = oracle.review("a", prediction, GRID, [5, 9])
    assert review.corrected == [4, 5] and review.looked == [3, 4, 5, 6, 9]
    assert review.work.look == 5 * 2 + 2 * 3, "two places to come to"
    assert oracle.review("a", prediction, GRID, [9]).corrected == [], "what nobody looks at stays as it is"


def test_a_prediction_that_is_worth_nothing_is_drawn_over(oracle):
    review = oracle.review("a", np.zeros(GRID.shape_zyx, np.uint8), GRID)
    assert review.drawn and (review.label == box()).all() and review.work == Work(open=10, draw=60)


def test_the_surface_dice_counts_the_surface_within_the_tolerance():
    truth = box() > 0
    assert surface_dice(truth, truth, (1, 1, 1), 0.0) == 1
    assert surface_dice(dilate(truth, 1), truth, (1, 1, 1), 0.9) == 0
    assert surface_dice(dilate(truth, 1), truth, (1, 1, 1), 2.0) == 1
    nothing = np.zeros_like(truth)
    assert surface_dice(nothing, truth, (1, 1, 1), 1.0) == 0 and np.isnan(surface_dice(nothing, nothing, (1, 1, 1), 1))


def test_costs_have_a_source_each(tmp_path):
    usual, sources = read_costs()
    assert usual.draw_slice == 10 and all(sources.values())
    path = tmp_path / "costs.json"
    content = {name: {"seconds": 1, "source": "measured"} for name in sources}
    write_json(path, content)
    assert read_costs(path)[0].open_case == 1
    write_json(path, {**content, "arrive": {"seconds": 1}})
    with pytest.raises(MetaSSLError, match="where the seconds of arrive are from"):
        read_costs(path)
    write_json(path, {**content, "arrive": 1})
    with pytest.raises(MetaSSLError, match="what arrive costs"):
        read_costs(path)


def test_arms_are_orders_and_looks():
    assert chosen_arms("draw, random,combined/0.90") == ("draw", "random", "combined/0.9")
    assert Arm.of("combined/0.9/slices") == Arm("combined", 0.9, True)
    for wrong in ("combined/nowhere", "combined/2", "by_name", "draw/0.9", "combined/slices", "random/0.9/all"):
        with pytest.raises(MetaSSLError, match=f"no arm '{wrong}'"):
            chosen_arms(wrong)


class Teacher:
    """A launcher whose rounds predict the truth of every case, but for a deep error in slice 5 of those of `wrong`.

    `worth`: the slices of a case in which one is to be expected.
    """

    cohort: Cohort
    wrong: tuple[str, ...] = ()
    worth: dict[str, list[int]] = {}
    empty: bool = False
    fails: bool = False

    def __init__(self, name: str, machine: str = "") -> None:
        pass

    def launch(self, found) -> JobRecord:
        events = JobWriter(found, every_s=0.0)
        events.write("started", device="cpu")
        project = Project.open(found.project_path)
        for case in project.unlabelled_cases() if not self.fails else ():
            truth, geometry = read_labels(self.cohort.truth(case.id), case.id)
            if case.id in self.wrong:
                truth[5, 1:4, 1:4] = 1
            predict(project, case.id, geometry, truth * (not self.empty))
            paths = Round(found.path).prediction(case.id)
            likely = [9.0 * (place in self.worth.get(case.id, ())) for place in range(len(truth))]
            effort = Effort(1.5, 0, len(truth), likely, 1.0, 1.0, 0)
            write_json(paths.summary, replace(read_summary(paths.summary, case.id), effort=effort).to_json())
        events.write("failed", message="no") if self.fails else events.write("finished", seconds=60.0)
        return JobRecord.of(os.getpid())


@pytest.fixture
def cohort(decathlon: Path, monkeypatch) -> Cohort:
    monkeypatch.setattr(start, "get_launcher", Teacher)
    Teacher.cohort, Teacher.wrong, Teacher.worth = Cohort.of(decathlon), (), {}
    Teacher.empty = Teacher.fails = False
    return Teacher.cohort


def play(folder: Path, cohort: Cohort, arm: str, **changes) -> Play:
    settings = Settings("Boxes", (arm,), COSTS, {}, **{"rounds": (2, 3), "iterations": 1, "unseen": 0.0, **changes})
    oracle = Oracle(cohort.truth, [1, 2], COSTS, settings.tolerance)
    return Play(folder / arm.replace("/", "-"), cohort, oracle, settings, Arm.of(arm), 0, lambda text: None)


def test_every_case_ends_with_a_final_label_and_the_seconds_that_it_took(cohort, tmp_path):
    Teacher.wrong = tuple(cohort.cases)
    found = play(tmp_path, cohort, "random").run()
    assert sorted(case["case"] for case in found["cases"]) == sorted(cohort.cases)
    hows = [case["how"] for case in found["cases"]]
    assert hows[:2] == ["drawn", "drawn"] and set(hows[2:]) == {"corrected"}
    assert all(case["dice"] == 1 and case["deepest_mm"] == 0 for case in found["cases"])
    assert (found["trainings"], found["machine_seconds"]) == (2, 120.0)
    assert [case["after"] for case in found["cases"]] == [0, 0, 1, 2, 2, 2]
    project = Project.open(tmp_path / "random" / "project")
    configs = [each.record["config"] for each in project.rounds()]
    assert [(each["iterations"], each["minutes"], each["predict"]) for each in configs] == [(1, None, None)] * 2
    assert project.settings["strategy"] == "random"
    for case in found["cases"]:
        spent = project.case(case["case"])
        assert spent.is_done and spent.seconds_spent == pytest.approx(sum(case["seconds"].values()), abs=0.1)
        if case["how"] == "corrected":
            assert 6 < case["seconds"]["correct"] <= 6.45 and case["seconds"]["draw"] == 0


def test_between_trainings_only_the_cases_that_are_worked_on_are_predicted(cohort, tmp_path):
    play(tmp_path, cohort, "random", rounds=(2, 3, 4)).run()
    project = Project.open(tmp_path / "random" / "project")
    assert [each.record["config"]["predict"] for each in project.rounds()] == [None, 1, None]


def test_the_rest_is_accepted_unseen_when_the_audit_allows_it_and_counts_as_it_is(decathlon, cohort, tmp_path):
    description = json.loads((decathlon / "dataset.json").read_text("utf-8"))
    for number in range(6, 15):
        for kind in ("images", "labels"):
            shutil.copy(decathlon / f"{kind}Tr" / "case_0.nii.gz", decathlon / f"{kind}Tr" / f"case_{number}.nii.gz")
        paths = {kind: f"./{kind}sTr/case_{number}.nii.gz" for kind in ("image", "label")}
        description["training"].append(paths)
    (decathlon / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    Teacher.cohort = Cohort.of(decathlon)
    first = play(tmp_path / "first", Teacher.cohort, "random", rounds=(2,)).run()
    assert "unseen" not in [case["how"] for case in first["cases"]], "no share is small enough"
    (audit,) = read_audits(Project.open(tmp_path / "first" / "random" / "project")).audits
    Teacher.wrong = audit.order[-1:]
    found = play(tmp_path / "second", Teacher.cohort, "random", rounds=(2,), unseen=0.6).run()
    unseen = {case["case"]: case for case in found["cases"] if case["how"] == "unseen"}
    assert set(unseen) == set(audit.order[6:]), "six right ones: at most 4 of the other 7, which is 57 %"
    assert sum(sum(case["seconds"].values()) for case in unseen.values()) == 0
    assert [case for case, row in unseen.items() if row["deepest_mm"] > 1.5] == [audit.order[-1]]


def test_looking_where_a_deep_error_is_likely_leaves_the_others_unseen(cohort, tmp_path):
    Teacher.wrong = tuple(cohort.cases)
    Teacher.worth = {case: [place] for case, place in zip(cohort.cases, (5, 5, 5, 5, 7, 7), strict=True)}
    found = play(tmp_path, cohort, "random/0.5").run()
    for case in found["cases"]:
        if case["how"] != "drawn":
            assert case["how"] == ("corrected" if Teacher.worth[case["case"]] == [5] else "accepted")
            assert (case["deepest_mm"] > 1.5) == (case["how"] == "accepted"), "what nobody looked at stays as it is"
            assert case["looked"] == (3 if case["how"] == "corrected" else 1)

    Teacher.worth = {}
    found = play(tmp_path / "nothing", cohort, "random/0.5").run()
    assert [case["how"] for case in found["cases"]] == ["drawn", "drawn", "accepted", "unseen", "unseen", "unseen"]


def test_what_the_oracle_did_not_look_at_is_known_to_the_project(cohort, tmp_path):
    Teacher.worth = {case: [5] for case in cohort.cases}
    found = play(tmp_path, cohort, "random/0.5").run()
    project = Project.open(tmp_path / "random-0.5" / "project")
    looked = {case["case"]: project.case(case["case"]).looked for case in found["cases"]}
    assert [looked[case["case"]] for case in found["cases"]] == [None, None, [5], [5], [5], [5]], "drawn ones wholly"
    play(tmp_path, cohort, "random").run()
    project = Project.open(tmp_path / "random" / "project")
    assert all(case.looked is None for case in project.cases.values())


def test_plays_of_before_are_not_mixed_with_those_of_now(cohort, tmp_path):
    """To a former version what nobody looked at was right: that makes other plays where not all was looked at."""
    part, whole = (play(tmp_path, cohort, arm).run() for arm in ("random/0.5", "random"))
    former = [{name: value for name, value in each.items() if name != "evidence"} for each in (part, whole)]
    settings = Settings("Boxes", ("random", "random/0.5"), COSTS, {}, (2, 3))
    for plays, others in (([part, whole], ""), (former[1:], ""), (former, "random/0.5")):
        write_json(tmp_path / "r.json", {"settings": settings.to_json(), "cases": cohort.cases, "plays": plays})
        if others:
            with pytest.raises(MetaSSLError, match=f"holds plays of {others} by a version to which"):
                Results.open(tmp_path / "r.json", settings, cohort.cases)
        else:
            assert Results.open(tmp_path / "r.json", settings, cohort.cases).has("random", 0)
    for arm in ("random/0.5", "random"):
        file = tmp_path / arm.replace("/", "-") / "play.json"
        write_json(file, {"cases": json.loads(file.read_text("utf-8"))["cases"]})
    assert play(tmp_path, cohort, "random").run() == whole
    with pytest.raises(MetaSSLError, match="was begun by a version to which"):
        play(tmp_path, cohort, "random/0.5").run()


def test_a_case_in_which_nothing_was_found_is_drawn_though_no_slice_is_expected_to_be_wrong(cohort, tmp_path):
    Teacher.empty = True
    found = play(tmp_path, cohort, "random/0.5").run()
    assert {case["how"] for case in found["cases"]} == {"drawn"} and all(case["dice"] == 1 for case in found["cases"])


def test_slices_that_were_looked_at_are_annotated_first_and_whole_cases_later(cohort, tmp_path):
    Teacher.wrong = tuple(cohort.cases)
    Teacher.worth = {case: [5] for case in cohort.cases}
    found = play(tmp_path, cohort, "random/0.5/slices").run()
    partly = [case for case in found["cases"] if case.get("partly")]
    assert len(partly) == 1 and "dice" not in partly[0], "only until the last training"
    final = {case["case"]: case for case in found["cases"] if "dice" in case}
    assert set(final) == set(cohort.cases)
    project = Project.open(tmp_path / "random-0.5-slices" / "project")
    assert project.round(2).record["partial"] == [partly[0]["case"]]
    assert all(case.is_done and not case.has_gaps for case in project.cases.values())


def test_a_killed_play_goes_on_where_it_was(cohort, tmp_path, monkeypatch):
    Teacher.wrong = tuple(cohort.cases)
    whole = play(tmp_path / "whole", cohort, "random").run()

    stopped = play(tmp_path / "torn", cohort, "random")
    for _ in range(5):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Project, "add_label", killed_after_one())
            stopped.run()
    assert stopped.run() == whole


def test_a_play_is_not_gone_on_with_otherwise_than_it_began(cohort, tmp_path):
    whole = play(tmp_path, cohort, "random").run()
    told = {"tolerance": "--tolerance 3", "iterations": "--iterations 3", "rounds": "--after 3"}
    for arm in ("random", "combined"):  # the latter begins with what all arms share
        for name, said in told.items():
            with pytest.raises(MetaSSLError, match=rf"play\.json holds .* {said}.*another --out and another --work"):
                play(tmp_path, cohort, arm, **{name: (3,) if name == "rounds" else 3}).run()
    fewer = replace(cohort, cases=cohort.cases[:-1])
    with pytest.raises(MetaSSLError, match="was begun with other cases"):
        play(tmp_path, fewer, "random").run()
    assert play(tmp_path, cohort, "random").run() == whole
    (tmp_path / "random" / "play.json").write_text('{"cases": [{"case": 3}]}', encoding="utf-8")
    with pytest.raises(MetaSSLError, match=r"'cases' in .*play\.json is of the wrong kind; move .*random away"):
        play(tmp_path, cohort, "random").run()


@pytest.mark.parametrize("wrong", [{"settings": []}, {"settings": {"seeds": 1}}, {"plays": [{}]}, {"plays": 3}])
def test_damaged_results_of_plays_are_named(cohort, tmp_path, wrong):
    settings = Settings("Boxes", ("random",), COSTS, {}, (2, 3))
    sound = {"settings": settings.to_json(), "cases": cohort.cases, "plays": []}
    write_json(tmp_path / "r.json", {**sound, **wrong})
    with pytest.raises(MetaSSLError, match=r"r\.json is damaged: its entry"):
        Results.open(tmp_path / "r.json", settings, cohort.cases)


def killed_after_one() -> Callable:
    """Adds a label and is killed at the next: when that is written down, and no label yet."""
    add_label, added = Project.add_label, iter(range(1))

    def add_or_die(*arguments, **options):
        if next(added, None) is None:
            raise KeyboardInterrupt
        return add_label(*arguments, **options)

    return add_or_die


def test_a_training_that_fails_ends_the_play_with_its_reason(cohort, tmp_path):
    Teacher.fails = True
    with pytest.raises(MetaSSLError, match="the training of round 0001 failed: no"):
        play(tmp_path, cohort, "random").run()


def test_the_command_plays_a_cohort_and_writes_table_and_plot(decathlon, tmp_path, capsys, monkeypatch):
    out = tmp_path / "cohort.json"
    command = ["simulate", "--goal", "cohort", "--data", str(decathlon), "--out", str(out), "--device", "cpu"]
    command += ["--arms", "draw,combined", "--after", "2", "--iterations", "2", "--seeds", "1"]
    with trainings_in_this_process(monkeypatch):
        assert main(command) == 0
        assert "2 plays to go, 6 cases each" in capsys.readouterr().out
        assert main(command) == 0
    assert "0 plays to go" in capsys.readouterr().out
    content = json.loads(out.read_text("utf-8"))
    drawn, combined = content["plays"]
    assert len(drawn["cases"]) == len({case["case"] for case in combined["cases"]}) == 6
    page = out.with_suffix(".md").read_text("utf-8")
    assert "| draw | 1 |" in page and "100 %" in page and "assumed" in page and "(cohort.svg)" in page
    assert out.with_suffix(".svg").read_text("utf-8").count("<rect") > 8
    figures, cases = write_outcome(out)
    assert cases == 6 and figures[0].drawing[0] == 1 and figures[0].total[0] == figures[0].minutes["draw"][0]
    assert figures[1].course[0][-1] == pytest.approx(figures[1].total[0])
    assert main([*command, "--tolerance", "2"]) == 2
    assert "--tolerance 2.0 (it has 1.5)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--goal", "cohort", "--strategies", "random", "--rounds", "3"),
            "--strategies, --rounds go with --goal labels",
        ),
        (("--arms", "draw"), "--arms goes with --goal cohort"),
    ],
)
def test_options_of_the_other_goal_are_not_passed_over(tmp_path, capsys, words, told):
    assert main(["simulate", "--data", str(tmp_path), "--out", str(tmp_path / "out.json"), *words]) == 2
    assert told in capsys.readouterr().err
