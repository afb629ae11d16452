"""What the pages tell people to type works: their code blocks run, page by page, on a small made-up data set.

Blocks of `sh` and `python` run, in the order of the page and in one folder; other languages are only shown. A block
that cannot run carries a line `<!-- not run: the reason -->` before it; its commands must still be ones that exist.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from in_process import trainings_in_this_process
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
PYTHON_PATH = (ROOT / "MetaSSLSlicer", ROOT / "research")


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


def runnable(page: Path) -> list[Block]:
    return [block for block in blocks_of(page) if block.language in RUN and not block.reason]


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


def run_page(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the blocks of a page in `folder`; AssertionError names the first that fails, with what it said."""
    blocks = runnable(page)
    for name, stem in DATA_SETS.items():
        if any(name in block.code for block in blocks):
            write_data_set(folder / name, stem)
    monkeypatch.chdir(folder)
    with trainings_in_this_process(monkeypatch):
        for block in blocks:
            run_python(block) if block.language == "python" else run_commands(block)


def run_python(block: Block) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PYTHON_PATH)), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", block.code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{block} ended with {done.returncode}:\n{block.code}\n{done.stdout}{done.stderr}"


def run_commands(block: Block) -> None:
    """In this process: torch is loaded once, not by each command anew."""
    for words in block.commands:
        option, value = FEW.get(words[1], ("", ""))
        if option and not {option, "--minutes"} & set(words):
            words = [*words, option, value]
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            try:
                code = cli.main(words[1:])
            except SystemExit as error:
                code = error.code
        assert code == 0, f"{block} ended with {code}:\n{shlex.join(words)}\n{said.getvalue()}"


def pages_to_run() -> Iterator[Path]:
    """Those with blocks to run that an earlier one does not have, too."""
    known = []
    for page in PAGES:
        blocks = runnable(page)
        code = [words for block in blocks for words in (block.commands if block.language == "sh" else [block.code])]
        if blocks and code not in known:
            known.append(code)
            yield page


@pytest.mark.parametrize("page", list(pages_to_run()), ids=lambda page: page.name)
def test_the_code_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    run_page(page, tmp_path, monkeypatch)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_says_its_language_and_what_is_not_run_says_why(block):
    assert block.language in (*RUN, *SHOWN), f"{block}: say `sh`, `python` or `text` after the three backticks"
    assert block.reason == "" or (block.language in RUN and len(block.reason) > 10)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "sh" and not b.reason], ids=str)
def test_a_block_that_is_run_has_commands_of_ours_that_every_shell_takes_alike(block):
    for words in block.commands:
        assert words[0] == "metassl" and not re.search(r"[|<>$*?;`!&]", " ".join(words)), block


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


@pytest.mark.parametrize("what", WRONG)
def test_a_block_that_is_wrong_is_named(what, tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(f"# Wrong\n\n{WRONG[what]}", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"page\.md:3 ended with"):
        run_page(page, tmp_path, monkeypatch)


def test_a_marked_block_whose_command_is_wrong_is_named(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- not run: it takes hours -->\n```sh\nmetassl benchmark --dta images\n```\n", encoding="utf-8")
    (block,) = blocks_of(page)
    assert block.reason == "it takes hours"
    with pytest.raises(SystemExit):
        test_the_commands_of_a_block_that_is_not_run_exist_with_their_options(block)
