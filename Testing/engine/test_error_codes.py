"""The kind of an error is told by its code; nobody looks for words in a sentence."""

from __future__ import annotations

import ast
import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from metassl.cli import main
from metassl.files import BusyError, ErrorCode, ImageError, MetaSSLError, code_of, file_lock, write_text
from metassl.imaging.images import read_image
from metassl.networks.device import choose_device

REPOSITORY = Path(__file__).parents[2]
ROOMS = [REPOSITORY / "MetaSSLSlicer", REPOSITORY / "research"]


def test_an_error_without_a_kind_of_its_own_has_that_of_its_cause():
    try:
        try:
            raise OSError(errno.ENOSPC, "no space")
        except OSError as error:
            raise ImageError("case a: cannot be kept") from error
    except ImageError as error:
        assert error.code is ErrorCode.OTHER and code_of(error) is ErrorCode.DISK_FULL


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MetaSSLError("odd"), ErrorCode.OTHER),
        (MetaSSLError("odd", ErrorCode.NO_DEVICE), ErrorCode.NO_DEVICE),
        (BusyError("busy"), ErrorCode.BUSY),
        (MemoryError(), ErrorCode.OUT_OF_MEMORY),
        (OSError(errno.ENOMEM, ""), ErrorCode.OUT_OF_MEMORY),
        (PermissionError(errno.EACCES, ""), ErrorCode.NO_ACCESS),
        (FileNotFoundError(errno.ENOENT, ""), ErrorCode.OTHER),
        (ModuleNotFoundError("none"), ErrorCode.MISSING_PACKAGE),
        (ValueError("the disk is full"), ErrorCode.OTHER),
    ],
)
def test_every_error_has_a_code(error, code):
    assert code_of(error) is code


def test_codes_are_read_back_and_unknown_ones_are_no_error():
    assert [ErrorCode.of(json.loads(json.dumps(code))) for code in ErrorCode] == list(ErrorCode)
    assert {ErrorCode.of(value) for value in ("of a later version", "", None, 3, [])} == {ErrorCode.OTHER}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_has_its_code(tmp_path, monkeypatch):
    monkeypatch.setattr("metassl.files.atomic.TEMPORARY", "full-")
    monkeypatch.setattr("secrets.token_hex", lambda _: "0")
    (tmp_path / "full-0-a.txt").symlink_to("/dev/full")
    with pytest.raises(MetaSSLError, match="the disk is full") as caught:
        write_text(tmp_path / "a.txt", "word")
    assert code_of(caught.value) is ErrorCode.DISK_FULL


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_has_its_code(tmp_path):
    (tmp_path / "a.nrrd").write_text("secret", encoding="utf-8")
    (tmp_path / "a.nrrd").chmod(0)
    with pytest.raises(ImageError) as caught:
        read_image([tmp_path / "a.nrrd"], "a")
    assert code_of(caught.value) is ErrorCode.NO_ACCESS


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_has_its_code():
    for name in ("cuda", "toaster"):
        with pytest.raises(MetaSSLError) as caught:
            choose_device(name)
        assert code_of(caught.value) is ErrorCode.NO_DEVICE


def test_who_waits_for_a_lock_in_vain_is_not_told_of_a_training(tmp_path):
    with file_lock(tmp_path / "lock"):
        with pytest.raises(BusyError) as caught, file_lock(tmp_path / "lock", timeout_s=0.1):
            pass
    assert code_of(caught.value) is ErrorCode.LOCKED


def test_the_command_line_gives_the_code_to_those_who_asked_for_json(tmp_path, capsys):
    assert main(["status", str(tmp_path / "none"), "--json"]) == 2
    output, errors = capsys.readouterr()
    error = json.loads(output)["error"]
    assert error["code"] == "other" and errors == f"metassl: {error['message']}\n"
    assert main(["status", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().out == ""


def test_a_python_that_lacks_a_package_says_so_by_its_code(tmp_path):
    (tmp_path / "numpy.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')\n", encoding="utf-8"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOMS[0])])}
    argv = [sys.executable, "-m", "metassl", "train", str(tmp_path), "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["package"]) == (ErrorCode.MISSING_PACKAGE.value, "numpy")


# Nobody looks for words in a sentence


SAYS = {"message", "hint", "reason", "problem", "stderr", "log", "explanation"}
"""Names of what holds a sentence for people."""
FOREIGN = {
    "metassl/networks/memory_ladder.py": "torch and its libraries tell only by their words that the memory is full",
    "metassl/networks/nnunet_checkpoint.py": "torch names the code that a checkpoint asks for in its sentence alone",
    "metassl/machines/slurm/answers.py": "the words are Slurm's own names of states and reasons",
    "metassl/machines/ssh/command.py": "ssh ends with 255 whatever is wrong, and tells only by its words",
    "metassl/cli.py": "argparse tells only in its sentence which word it does not know",
    "metassl/imaging/images.py": "ITK has one kind of exception for all",
    "MetaSSLSlicerLib/Logic/Engine/Installation.py": "pip tells only by its output why it failed",
}


def words_looked_for(source: str) -> Iterator[int]:
    """The lines where a program looks into a sentence: with `in`, `startswith`, `endswith`, `find` or `re`."""
    tree = ast.parse(source)
    for scope in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda))]:
        sentences = sentences_in(scope)
        for node in ast.walk(scope):
            for sought, where in searches_of(node):
                if is_sentence(where, sentences) or is_prose(sought):
                    yield node.lineno


def searches_of(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """(what is sought, where)"""
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        yield node.left, node.comparators[0]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        name, called = node.func.attr, node.func.value
        if name in ("startswith", "endswith", "find", "index", "count"):
            yield node.args[0], called
        elif isinstance(called, ast.Name) and called.id == "re" and len(node.args) > 1:
            yield node.args[0], node.args[1]


def sentences_in(scope: ast.AST) -> set[str]:
    """The names in a function that hold the words of an error, or what was made of them."""
    found: set[str] = set()
    for node in ast.walk(scope):
        if isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and any(is_sentence(part, found) for part in ast.walk(node.value)):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def is_sentence(node: ast.AST, known: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in known | SAYS
    if isinstance(node, ast.Attribute):
        return node.attr in SAYS
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):  # message.lower()
            return is_sentence(node.func.value, known)
        texts = isinstance(node.func, ast.Name) and node.func.id in ("str", "repr")
        return texts and bool(node.args) and names_an_error(node.args[0], known)
    return False


def names_an_error(node: ast.AST, known: set[str]) -> bool:
    return isinstance(node, ast.Name) and (node.id in known or node.id in ("error", "exception"))


def is_prose(node: ast.AST) -> bool:
    text = node.value if isinstance(node, ast.Constant) else ""
    return isinstance(text, str) and sum(word.isalpha() for word in text.split()) > 1


@pytest.mark.parametrize(
    "source",
    [
        "def f(message):\n    lower = message.lower()\n    return any(sign in lower for sign in SIGNS)",
        "try:\n    go()\nexcept OSError as error:\n    if 'space' in str(error): pass",
        "def f(error):\n    text = str(error)\n    return text.startswith('no')",
        "def f(status): return status.message.endswith('gone')",
        "def f(text): return 'No module named' in text",
        "def f(log, reason): return re.search('disk', reason)",
    ],
)
def test_what_looks_for_words_is_found(source):
    assert list(words_looked_for(source))


@pytest.mark.parametrize(
    "source",
    [
        "def f(code): return code in ADVICE",
        "def f(error): return error.code in (1, 2)",
        "def f(path): return path.name.startswith('.tmp-') or 'a' in path.parts",
        "def f(message): return f'{message} again'",
    ],
)
def test_what_asks_for_a_code_is_left_alone(source):
    assert not list(words_looked_for(source))


def test_no_code_looks_for_words_in_what_is_said_to_people():
    found = {}
    for room in ROOMS:
        for path in sorted(room.rglob("*.py")):
            lines = sorted(set(words_looked_for(path.read_text(encoding="utf-8"))))
            if lines:
                found[path.relative_to(room).as_posix()] = lines
    assert {name: lines for name, lines in found.items() if name not in FOREIGN} == {}
    assert set(FOREIGN) <= found.keys(), "take what no longer looks for words off the list"
