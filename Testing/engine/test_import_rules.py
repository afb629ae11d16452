"""Two rooms and one door, the pictures that both may call, and the layers of the engine: who may import what."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

MODULE = Path(__file__).parents[2] / "MetaSSLSlicer"
ENGINE = MODULE / "metassl"
SLICER_ROOM = MODULE / "MetaSSLSlicerLib"
PICTURES = MODULE / "MetaSSLPictures"

SLICER_ONLY = {"slicer", "qt", "ctk", "vtk", "vtkmodules", "mrml", "MetaSSLSlicerLib"}
TORCH_ONLY = {"torch", "monai", "torchvision", "ignite"}
SHARED_PARTS = ("files", "imaging", "choices", "project", "jobs", "machines", "finish")
SHARED = {f"metassl.{part}" for part in SHARED_PARTS}
SHARED_PACKAGES = {"numpy", "SimpleITK"}
OPTIONAL = r"metassl/imaging/multiframe\.py:\d+ imports pydicom"
"""An extra that Slicer has: that file alone imports it, and says what to do where it is missing."""

LAYERS = [
    "files",  # atomic writes, JSON, locks, errors
    "imaging",  # images and annotations as files
    "choices",  # the catalogues
    "project",  # the folder on disk
    "jobs",  # what is at work in it, and what it says
    "machines",  # other machines, and the launchers that train there
    "finish",  # when to stop: the audit, and the rest accepted
    "intake",  # a project from a folder of images
    "exports",  # its labels and predictions for other programs
    "selection",  # which case next, from what a round wrote
    "evaluation",  # how good a round is, from what it wrote
    "method",  # the paper; from here on with torch
    "data",
    "networks",
    "frameworks",
    "inference",
    "training",
    "demo",
    "doctor",
    "commands",
    "cli",
    "__main__",
]
"""The parts of the engine. Each imports those above it in this list, none below: so there is no circle."""
WITHOUT_TORCH = LAYERS[: LAYERS.index("method")]


def python_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imports_of(path: Path, root: Path = MODULE) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of everything that a file imports, wherever in it."""
    package = path.relative_to(root).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and _is_import_call(node):
            if isinstance(node.args[0], ast.Constant):
                yield node.lineno, str(node.args[0].value)


def _is_import_call(node: ast.Call) -> bool:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in ("import_module", "__import__")


def offences(files: list[Path], forbidden) -> list[str]:
    assert files, "there are no files to check"
    return [
        f"{path.relative_to(MODULE)}:{line} imports {name}"
        for path in files
        for line, name in imports_of(path)
        if forbidden(name)
    ]


def in_shared_rooms(name: str) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in SHARED)


def test_the_engine_never_imports_slicer():
    assert offences(python_files(ENGINE), lambda n: n.split(".")[0] in SLICER_ONLY) == []


def test_the_engine_never_names_the_slicer_room_in_a_text_that_could_be_run():
    texts = [
        f"{path.relative_to(MODULE)}:{node.lineno}"
        for path in python_files(ENGINE)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and "MetaSSLSlicerLib" in str(node.value)
    ]
    assert texts == []


def test_the_engine_calls_the_pictures_by_their_root_alone():
    own = {path.stem for path in PICTURES.glob("*.py")}
    files = python_files(ENGINE)

    def called(name: str) -> bool:
        return name.split(".")[0] == "MetaSSLPictures"

    assert offences(files, lambda name: called(name) and name.split(".")[1] in own) == []
    assert {line.split(":")[0] for line in offences(files, called)} == {"metassl/evaluation/report/write.py"}


def test_the_pictures_import_neither_room_but_what_is_shared():
    def forbidden(name: str) -> bool:
        top = name.split(".")[0]
        if top == "metassl":
            return not in_shared_rooms(name)
        return top in {"MetaSSLSlicerLib", "qt", "ctk", "PySide6", *TORCH_ONLY}

    assert offences(python_files(PICTURES), forbidden) == []


def test_the_root_of_the_pictures_loads_neither_slicer_nor_the_engine():
    assert not loaded_by("import MetaSSLPictures") & (SLICER_ONLY | TORCH_ONLY | SHARED_PACKAGES | {"metassl"})


def test_the_slicer_room_never_imports_torch_or_the_engine():
    files = python_files(SLICER_ROOM) + sorted(MODULE.glob("*.py"))

    def forbidden(name: str) -> bool:
        if name.split(".")[0] == "metassl":
            return name not in ("metassl", "metassl.__version__") and not in_shared_rooms(name)
        return name.split(".")[0] in TORCH_ONLY

    assert offences(files, forbidden) == []


def test_the_shared_parts_import_nothing_but_each_other_numpy_simpleitk_and_python():
    files = [path for part in SHARED_PARTS for path in python_files(ENGINE / part)]

    def forbidden(name: str) -> bool:
        top = name.split(".")[0]
        if top == "metassl":
            return name != "metassl.__version__" and not in_shared_rooms(name)
        return top not in sys.stdlib_module_names and top not in SHARED_PACKAGES

    extra = [text for text in offences(files, forbidden) if not re.fullmatch(OPTIONAL, text)]
    assert extra == []


def test_the_root_of_the_engine_imports_nothing():
    assert list(imports_of(ENGINE / "__init__.py")) == []


def part_of(name: str) -> str:
    """The part of the engine that a dotted name belongs to; "" for its root and all that is not the engine."""
    top, _, rest = name.partition(".")
    part = rest.partition(".")[0]
    return part if top == "metassl" and part in LAYERS else ""


def files_of(part: str, engine: Path = ENGINE) -> list[Path]:
    return python_files(engine / part) or [engine / f"{part}.py"]


def upward_imports(part: str, engine: Path = ENGINE) -> list[str]:
    above = LAYERS[LAYERS.index(part) + 1 :]
    return [
        f"{path.relative_to(engine).as_posix()}:{line} imports {name}"
        for path in files_of(part, engine)
        for line, name in imports_of(path, engine.parent)
        if part_of(name) in above
    ]


def test_every_part_of_the_engine_has_its_layer():
    parts = {path.relative_to(ENGINE).parts[0].removesuffix(".py") for path in python_files(ENGINE)}
    assert sorted(parts - {"__init__"}) == sorted(LAYERS)


@pytest.mark.parametrize("part", LAYERS)
def test_a_part_of_the_engine_imports_none_of_a_higher_layer(part):
    assert upward_imports(part) == []


def test_the_layers_below_the_method_import_no_torch():
    files = [path for part in WITHOUT_TORCH for path in files_of(part)]
    assert offences(files, lambda name: name.split(".")[0] in TORCH_ONLY) == []


def test_the_rule_of_the_layers_sees_an_import_upward(tmp_path):
    frameworks = tmp_path / "metassl" / "frameworks"
    frameworks.mkdir(parents=True)
    (frameworks / "x.py").write_text(
        "from metassl import __version__, data\ndef f():\n    from ..training import loop\n", encoding="utf-8"
    )
    assert upward_imports("frameworks", tmp_path / "metassl") == ["frameworks/x.py:3 imports metassl.training.loop"]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("import vtk.util", "vtk.util"),
        ("from slicer import util", "slicer.util"),
        ("from ..jobs import lock", "metassl.jobs.lock"),
        ("from . import cases", "metassl.project.cases"),
        ("def f():\n    from torch.nn import Module", "torch.nn.Module"),
        ("importlib.import_module('monai.losses')", "monai.losses"),
    ],
)
def test_the_rule_sees_every_way_to_import(tmp_path, line, name):
    path = tmp_path / "metassl" / "project" / "x.py"
    path.parent.mkdir(parents=True)
    path.write_text(line, encoding="utf-8")
    assert [found for _, found in imports_of(path, tmp_path)] == [name]


def loaded_by(statement: str) -> set[str]:
    """The top names of the modules that a fresh Python has loaded after `statement`."""
    code = f"{statement}\nimport sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    environment = {**os.environ, "PYTHONPATH": str(MODULE)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_shared_parts_load_no_torch_in_a_fresh_process():
    loaded = loaded_by("import metassl.files, metassl.imaging, metassl.choices, metassl.project, metassl.jobs")
    assert "metassl" in loaded and "numpy" in loaded
    assert not loaded & (TORCH_ONLY | SLICER_ONLY)


def test_the_root_of_the_engine_loads_nothing_heavy():
    assert not loaded_by("import metassl") & (TORCH_ONLY | SLICER_ONLY | SHARED_PACKAGES)


ROOMS = ["Scene", "Autosave", "Case", "Review", "Engine", "Training", "Project"]
"""The rooms of Slicer's logic. Each imports those before it in this list, none behind it."""
LOGIC = SLICER_ROOM / "Logic"


def test_every_file_of_the_logic_has_its_room():
    assert sorted(path.name for path in LOGIC.iterdir() if path.is_dir() and path.name[0] != "_") == sorted(ROOMS)
    assert [path.name for path in LOGIC.glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_of_the_logic_imports_none_behind_it(room):
    behind = tuple(f"MetaSSLSlicerLib.Logic.{name}." for name in ROOMS[ROOMS.index(room) + 1 :])
    beside = ("MetaSSLSlicerLib.Widgets", "MetaSSLPictures")
    assert offences(python_files(LOGIC / room), lambda name: name.startswith((*behind, *beside))) == []


def test_no_folder_of_the_product_holds_more_than_twenty_files():
    folders = [MODULE, *(path for path in MODULE.rglob("*") if path.is_dir() and path.name != "__pycache__")]
    counts = {str(path.relative_to(MODULE)): sum(each.is_file() for each in path.iterdir()) for path in folders}
    assert {name: count for name, count in counts.items() if count > 20} == {}


def test_no_file_of_the_product_is_longer_than_four_hundred_lines():
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in python_files(MODULE)}
    assert {name: length for name, length in lengths.items() if length > 400} == {}
