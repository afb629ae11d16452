"""What the pages tell people to type works: their code blocks run, page by page, on a small made-up data set.

Blocks of `sh` and `python` run, in the order of the page and in one folder; other languages are only shown. A block
that cannot run carries a line `<!-- not run: the reason -->` before it; its commands must still be ones that exist.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from metassl import cli
from metassl.imaging import Geometry, write_array

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"(?:<!-- not run: (?P<reason>[^\n]+) -->\n+)?^```(?P<language>.*)\n(?P<code>(?:.*\n)*?)^```$", re.M)
RUN = ("sh", "python")
SHOWN = ("text", "json", "toml", "{eval-rst}")
DATA_SETS = {"Task04_Hippocampus": "hippocampus", "Task27_ACDC": "patient"}
GRID = Geometry((12, 14, 10), (1.0, 1.25, 2.5), (-12.5, 7.0, 31.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
FEW = {"train": ("--iterations", "2"), "sample": ("--cases", "8")}
"""What a command gets that would take minutes otherwise, unless its block says how long."""

METASSL = """#!/bin/sh
case "$1" in {cases} esac
exec {python} -m metassl "$@"
"""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page. reason: why it is not run, "" when it is."""

    page: Path
    line: int
    language: str
    code: str
    reason: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page.name}:{self.line}"

    @property
    def commands(self) -> list[list[str]]:
        """Of a shell block: the words of each command."""
        lines = self.code.replace("\\\n", " ").splitlines()
        words = [shlex.split(part, comments=True) for line in lines for part in line.split("&&")]
        return [each for each in words if each]


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, found.start("language")) + 1,
            found["language"].strip(),
            found["code"],
            found["reason"] or "",
        )
        for found in BLOCK.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def write_data_set(folder: Path, stem: str, cases: int = 18) -> None:
    """A Decathlon folder of tiny images with two structures."""
    training = []
    for number in range(1, cases + 1):
        name = f"{stem}_{number:03}.nii.gz"
        labels = np.zeros(GRID.shape_zyx, np.uint8)
        labels[2:8, 3:7, 3:9] = 1
        labels[2:8, 7:10, 3:9] = 2
        image = np.random.default_rng(number).normal(100, 10, labels.shape) + 60.0 * labels
        for kind, array in (("imagesTr", image.astype(np.float32)), ("labelsTr", labels)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            write_array(folder / kind / name, array, GRID)
        training.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
    names = {"0": "background", "1": "Anterior", "2": "Posterior"}
    document = {"name": folder.name, "modality": {"0": "MRI"}, "labels": names, "training": training}
    (folder / "dataset.json").write_text(json.dumps(document), encoding="utf-8")


def run_page(page: Path, folder: Path) -> None:
    """Run the blocks of a page in `folder`; AssertionError names the first that fails, with what it said."""
    blocks = [block for block in blocks_of(page) if block.language in RUN and not block.reason]
    for name, stem in DATA_SETS.items():
        if any(name in block.code for block in blocks):
            write_data_set(folder / name, stem)
    environment = {**os.environ, "PATH": os.pathsep.join([str(_bin(folder)), os.environ["PATH"]])}
    environment |= {"PYTHONPATH": os.pathsep.join(_paths()), "OMP_NUM_THREADS": "1"}
    for block in blocks:
        command = ["bash", "-euo", "pipefail", "-c", block.code]
        if block.language == "python":
            command = [sys.executable, "-c", block.code]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, f"{block} ended with {done.returncode}:\n{block.code}\n{done.stdout}{done.stderr}"


def _bin(folder: Path) -> Path:
    """A folder with a `metassl` that trains in moments."""
    place = folder.with_name(f"{folder.name}-bin")
    place.mkdir()
    cases = " ".join(
        f'{name}) case " $* " in *" {option} "*|*" --minutes "*) ;; *) set -- "$@" {option} {value};; esac;;'
        for name, (option, value) in FEW.items()
    )
    script = place / "metassl"
    script.write_text(METASSL.format(cases=cases, python=shlex.quote(sys.executable)), encoding="utf-8")
    script.chmod(0o755)
    return place


def _paths() -> list[str]:
    return [str(ROOT / "MetaSSLSlicer"), str(ROOT / "research"), *filter(None, [os.environ.get("PYTHONPATH")])]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(b.language in RUN and not b.reason for b in blocks_of(page))],
    ids=lambda page: page.name,
)
def test_the_code_blocks_of_a_page_run(page, tmp_path):
    (tmp_path / "work").mkdir()
    run_page(page, tmp_path / "work")


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_says_its_language_and_what_is_not_run_says_why(block):
    assert block.language in (*RUN, *SHOWN), f"{block}: say `sh`, `python` or `text` after the three backticks"
    assert block.reason == "" or (block.language in RUN and len(block.reason) > 10)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.reason and block.language == "sh"], ids=str)
def test_the_commands_of_a_block_that_is_not_run_exist_with_their_options(block):
    for words in block.commands:
        if words[0] == "metassl":
            cli.build_parser().parse_args(words[1:])
        if words[0] == "make":
            targets = [word for word in words[1:] if "=" not in word and not word.startswith("-")]
            assert targets, f"{block}: make what?"
            for target in targets:
                assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.M), f"{block}: no {target}"


WRONG = {
    "a command that is not there": "```sh\nmetassl frobnicate P\n```\n",
    "an option that is not there": "```sh\nmetassl sample images --colour red\n```\n",
    "the first of two": "```sh\nmetassl status nowhere\nmetassl doctor\n```\n",
    "a name that cannot be imported": "```python\nfrom metassl.project import Projekt\n```\n",
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("what", WRONG)
def test_a_block_that_is_wrong_is_named(what, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# Wrong\n\n{WRONG[what]}", encoding="utf-8")
    (tmp_path / "work").mkdir()
    with pytest.raises(AssertionError, match=r"page\.md:3 ended with"):
        run_page(page, tmp_path / "work")


def test_a_marked_block_whose_command_is_wrong_is_named(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- not run: it takes hours -->\n```sh\nmetassl benchmark --dta images\n```\n", encoding="utf-8")
    (block,) = blocks_of(page)
    assert block.reason == "it takes hours"
    with pytest.raises(SystemExit):
        test_the_commands_of_a_block_that_is_not_run_exist_with_their_options(block)
