"""Times, numbers and sentences read as a person writes them, in the command line as in the panel."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from metassl.project.words import brief_duration, count, duration, percent, said_once, sentence
from metassl_research.commands.options import trainings_left
from MetaSSLSlicerLib import Durations

ROOT = Path(__file__).parents[2]
PACKAGE = Path(__file__).parents[2] / "MetaSSLSlicer"


@pytest.mark.parametrize(
    ("seconds", "long", "brief"),
    [
        (-1, "0 seconds", "0 s"),
        (1.2, "1 second", "1 s"),
        (40.4, "40 seconds", "40 s"),
        (59.7, "1 minute", "1 min"),
        (61, "1 minute 1 second", "1 min 1 s"),
        (187, "3 minutes 7 seconds", "3 min 7 s"),
        (240, "4 minutes", "4 min"),
        (3599.8, "1 hour", "1 h"),
        (3600 + 60, "1 hour 1 minute", "1 h 1 min"),
        (7499, "2 hours 5 minutes", "2 h 5 min"),
        (7199, "2 hours", "2 h"),
    ],
)
def test_a_length_of_time_reads_the_same_in_both_rooms(seconds, long, brief):
    assert duration(seconds) == Durations.duration(seconds) == long
    assert brief_duration(seconds) == Durations.briefDuration(seconds)
    assert brief_duration(seconds).replace("\u00a0", " ") == brief
    assert not re.search(r"\d [a-z]", brief_duration(seconds)), "no number is parted from its unit"


def test_a_translation_brings_its_own_words(monkeypatch):
    german = {"{count} minutes": "{count} Minuten", "1 second": "1 Sekunde", "{large} {small}": "{large} und {small}"}
    monkeypatch.setattr(Durations, "_", lambda text: german.get(text, text))
    assert Durations.duration(121) == "2 Minuten und 1 Sekunde"


def test_one_thing_is_one_and_several_are_several():
    assert [count(number, "case") for number in (0, 1, 3)] == ["0 cases", "1 case", "3 cases"]
    assert count(2, "box", "boxes") == "2 boxes"
    assert trainings_left(1, 0.5) == "1 training to go, of 30 seconds each: at least 30 seconds"
    assert trainings_left(63, 4) == "63 trainings to go, of 4 minutes each: at least 4 hours 12 minutes"
    assert trainings_left(2, None) == "2 trainings to go"


def test_a_share_and_its_sign_stay_together():
    assert percent(0.125, 1) == "12.5\u00a0%" and percent(1) == "100\u00a0%"


def test_a_sentence_begins_with_a_capital_and_ends():
    assert sentence(ValueError("case 3: it is damaged")) == "Case 3: it is damaged."
    assert sentence(" Why? ") == "Why?" and sentence("") == ""


def test_no_other_place_makes_up_words_for_times_numbers_or_sentences():
    made = r"== 1 else ['\"]s['\"]|\{'' if \w+ == 1|\[:1\]\.upper\(\)|divmod\([^)]*60\)|// 3600|:g\} min"
    found = [
        f"{path.name}: {line.strip()}"
        for path in PACKAGE.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(made, line) and path.name != "words.py"
    ]
    assert found == []


def test_what_is_the_same_of_several_cases_is_said_once():
    silent = "its label says nothing of Back"
    assert said_once([f"case a: {silent}", "two labels", f"case b: {silent}", "case c: it is empty"]) == [
        f"2 cases (a, b): {silent}",
        "two labels",
        "case c: it is empty",
    ]
    files = [f"case {case}: /data/{case}.png: its spacing is not known" for case in "abc"]
    assert said_once(files) == files, "of a few the files are named"
    assert said_once([*files, "case d: /data/d.png: its spacing is not known"]) == [
        "4 cases (a, b, c, d): its spacing is not known"
    ]


# Sentences that are put together of parts

THINGS = re.compile(
    r" ((more|labelled|training) )?(cases|images|files|labels|rounds|steps|tasks|slices|predictions|checks|channels|"
    r"structures|segmentations)\b"
)
NEVER_ONE = {
    ("bound.py", "total"),
    ("words.py", "len(same)"),
    ("dicom.py", "len(found)"),
    ("dicom_source.py", "len(files)"),
    ("frames.py", "max(counts.values())"),
    ("headers.py", "channels"),
    ("refusals.py", "self.in_a_row"),
}
"""Told from two on only, or to programmers only."""
NO_NUMBER = {("measuring.py", "group"), ("discovery.py", "', '.join(IMAGE_SUFFIXES)")}


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "research").rglob("*.py")]:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_a_number_in_a_sentence_agrees_with_what_it_counts():
    """One that may be 1 goes through `count` or `plural`."""
    told = [
        (path, ast.unparse(number.value))
        for path, tree in trees()
        if "method" not in path.parts and "metassl_research" not in path.parts
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for number, text in zip(node.values, node.values[1:], strict=False)
        if isinstance(number, ast.FormattedValue) and isinstance(text, ast.Constant) and THINGS.match(text.value)
    ]
    wrong = [f"{path}: {number}" for path, number in told if not number.isupper()
             and (path.name, number) not in NEVER_ONE | NO_NUMBER]  # fmt: skip
    assert len(told) > len(NEVER_ONE) and not wrong, "\n".join(wrong)


def test_what_a_sentence_calls_damaged_or_missing_is_one_thing():
    """`read_json` says that it is damaged."""
    readers, names = {"read_json": 1, "_optional": 1, "check_schema": 1}, []
    for _path, tree in trees():
        for node in ast.walk(tree):
            place = readers.get(getattr(node.func, "id", ""), 99) if isinstance(node, ast.Call) else 99
            if place < 99 and len(node.args) > place and isinstance(node.args[place], ast.Constant):
                names.append(node.args[place].value)
    heads = {name: re.split(r" (?:of|for|on|in) ", name)[0].split()[-1] for name in names}
    several = [name for name, head in heads.items() if head.endswith("s") and head != "status"]
    assert len(names) > 15 and not several
