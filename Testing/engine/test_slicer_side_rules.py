"""What Slicer asks of the code that runs in it: what it imports, installs and leaves alone."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from machine import slowness

MODULE = Path(__file__).parents[2] / "MetaSSLSlicer"
MODULE_FILE = MODULE / "MetaSSLSlicer.py"
SLICER_ROOM = MODULE / "MetaSSLSlicerLib"
PICTURES = MODULE / "MetaSSLPictures"

SLICER = {"slicer", "qt", "ctk", "vtk"}
BUNDLED = SLICER | {"vtkmodules", "numpy", "SimpleITK"}
OURS = {"MetaSSLSlicerLib", "MetaSSLPictures", "metassl"}
RUN_TIME_ONLY = {"torch", "monai", "PySide6", "scipy", "matplotlib"}
IMPORT_LIMIT_MS = 50


# The code on Slicer's side


def slicer_side() -> list[Path]:
    return [MODULE_FILE, *sorted(SLICER_ROOM.rglob("*.py")), *sorted(PICTURES.rglob("*.py"))]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def at_file_scope(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the file is imported: everything but the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from at_file_scope(child)


def imported_tops(nodes: Iterator[ast.AST]) -> Iterator[str]:
    """The top names of what is imported; what a package imports from itself is not counted."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


def dotted(node: ast.AST) -> str:
    """`a.b.c` of such an expression, else an empty text or its known end."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}".lstrip(".")
    return node.id if isinstance(node, ast.Name) else ""


def offences(rule, paths: list[Path] | None = None) -> list[str]:
    return [
        f"{path.relative_to(MODULE)}:{node.lineno}"
        for path in paths or slicer_side()
        for node in ast.walk(tree_of(path))
        if rule(node)
    ]


def test_the_module_file_imports_only_python_and_slicer_at_file_scope():
    allowed = SLICER | set(sys.stdlib_module_names)
    assert sorted(set(imported_tops(at_file_scope(tree_of(MODULE_FILE)))) - allowed) == []


def test_slicers_side_imports_only_what_slicer_brings_at_file_scope():
    allowed = BUNDLED | OURS | set(sys.stdlib_module_names)
    tops = {path.name: set(imported_tops(at_file_scope(tree_of(path)))) - allowed for path in slicer_side()}
    assert {name: found for name, found in tops.items() if found} == {}


def test_the_logic_knows_no_widget_toolkit():
    paths = sorted((SLICER_ROOM / "Logic").rglob("*.py"))
    assert [path.name for path in paths if set(imported_tops(ast.walk(tree_of(path)))) & {"qt", "ctk", "PySide6"}] == []


def test_nothing_uses_imp():
    paths = [*slicer_side(), *sorted((MODULE / "metassl").rglob("*.py"))]
    assert [path.name for path in paths if "imp" in imported_tops(ast.walk(tree_of(path)))] == []


def installs_torch(node: ast.AST) -> bool:
    """pip is told to install torch, or a whole list of requirements, which names torch."""
    if not isinstance(node, ast.Call):
        return False
    words = [str(part.value).lower() for part in ast.walk(node) if isinstance(part, ast.Constant)]
    words = [word.replace("light-the-torch", "") for word in words]  # by which the extension PyTorch finds its build
    by_pip = re.search(r"(^|[._])pip([._]|$)", dotted(node.func)) or any(word in ("pip", "pip3") for word in words)
    return bool(by_pip) and any("torch" in word or "requirements" in word or word == "-r" for word in words)


def changes_environment(node: ast.AST) -> bool:
    """The environment of Slicer itself is changed, for everybody in it."""
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Delete):
        targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
        parts = [target.value if isinstance(target, ast.Subscript) else target for target in targets]
        return any(dotted(part).endswith("environ") for part in parts)
    changing = r"environ\.(update|setdefault|pop|popitem|clear)|os\.(putenv|unsetenv)"
    return isinstance(node, ast.Call) and bool(re.search(changing, dotted(node.func)))


def test_torch_is_never_installed_by_pip_directly():
    assert offences(installs_torch) == []


def test_slicers_own_environment_is_left_alone():
    assert offences(changes_environment) == []


@pytest.mark.parametrize(
    "line",
    [
        "slicer.util.pip_install('torch>=2')",
        "slicer.packaging.pip_ensure(['monai', 'torch'])",
        "slicer.util.pip_install(f'-r {folder}/requirements.txt')",
        "subprocess.run([python, '-m', 'pip', 'install', 'torch'])",
    ],
)
def test_the_rule_sees_every_way_to_install_torch(line):
    assert any(installs_torch(node) for node in ast.walk(ast.parse(line)))


@pytest.mark.parametrize(
    "line",
    [
        "PyTorchUtilsLogic().installTorch(True)",
        "slicer.util.pip_install('monai')",
        "Step('light-the-torch', ('pip', 'install', 'light-the-torch>=0.5'))",
        "say(_('In a terminal: pip install torch'))",
    ],
)
def test_the_rule_allows_the_right_ways_to_install(line):
    assert not any(installs_torch(node) for node in ast.walk(ast.parse(line)))


@pytest.mark.parametrize(
    "line",
    ["os.environ['A'] = 'b'", "os.environ |= more", "del os.environ['A']", "os.environ.pop('A')", "os.putenv(a, b)"],
)
def test_the_rule_sees_every_way_to_change_the_environment(line):
    assert any(changes_environment(node) for node in ast.walk(ast.parse(line)))


# The module file in a fresh Python, where Slicer is a stand-in


def test_the_module_file_holds_the_entry_points_and_is_short():
    classes = [node.name for node in tree_of(MODULE_FILE).body if isinstance(node, ast.ClassDef)]
    assert classes == [f"MetaSSLSlicer{kind}" for kind in ("", "Widget", "Logic", "Test")]
    assert len(MODULE_FILE.read_text(encoding="utf-8").splitlines()) < 150


IN_A_FRESH_PYTHON = '''
import importlib, json, sys, time, types
from importlib.machinery import ModuleSpec

class Kind(type(int)):
    def __getattr__(cls, name):
        return hidden(name) or Anything()

class Anything(int, metaclass=Kind):
    """Whatever Slicer may have: can be called, inherited from, added, connected to."""
    def __new__(cls, *args, **names):
        return int.__new__(cls)
    def __init__(self, *args, **names):
        if args:
            self.parent = args[0]
    def __call__(self, *args, **names):
        return Anything()
    def __getattr__(self, name):
        return hidden(name) or Anything()

def hidden(name):
    if name.startswith("__"):
        raise AttributeError(name)

class Module(types.ModuleType):
    def __getattr__(self, name):
        hidden(name)
        if name in ("tr", "translate"):
            return lambda *texts: texts[-1]
        if self.__name__ == "slicer" and name[0].islower():
            return Anything()
        return type(name, (Anything,), {})

class Finder:
    tried = []
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top in FORBIDDEN:
            self.tried.append(name)
            raise ModuleNotFoundError(f"{name} must not be imported here", name=name)
        if top in STAND_INS:
            return ModuleSpec(name, self, is_package=True)
    def create_module(self, spec):
        return Module(spec.name)
    def exec_module(self, module):
        pass

FORBIDDEN, STAND_INS, MODULE_FOLDER, names = json.loads(sys.argv[1])
sys.meta_path.insert(0, Finder())
sys.path.insert(0, MODULE_FOLDER)
failed = {}
start = time.process_time()
for name in names:
    try:
        importlib.import_module(name)
    except Exception as error:
        failed[name] = f"{type(error).__name__}: {error}"
found = {"ms": 1000 * (time.process_time() - start), "failed": failed, "tried": Finder.tried}
if "MetaSSLSlicer" in names and not failed:
    parent = types.SimpleNamespace()
    sys.modules["MetaSSLSlicer"].MetaSSLSlicer(parent)
    found["parent"] = vars(parent)
print(json.dumps(found))
'''


def import_in_a_fresh_python(names: list[str], forbidden: set[str] = RUN_TIME_ONLY) -> dict:
    """What became of importing `names` where `forbidden` is not there and Slicer is a stand-in."""
    stand_ins = sorted(SLICER | {"vtkmodules", "mrml"})
    task = json.dumps([sorted(forbidden), stand_ins, str(MODULE), names])
    command = [sys.executable, "-c", IN_A_FRESH_PYTHON, task]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_the_module_file_imports_within_50_ms_without_anything_heavy():
    heavy = RUN_TIME_ONLY | {"numpy", "SimpleITK"}
    runs = [import_in_a_fresh_python(["MetaSSLSlicer"], heavy) for _ in range(5)]
    assert (runs[0]["failed"], runs[0]["tried"]) == ({}, [])
    assert min(run["ms"] for run in runs) < IMPORT_LIMIT_MS * slowness()


def test_every_file_on_slicers_side_imports_with_torch_monai_scipy_and_pyside6_absent():
    names = [".".join(path.relative_to(MODULE).with_suffix("").parts) for path in slicer_side()]
    found = import_in_a_fresh_python([name.removesuffix(".__init__") for name in names])
    assert (found["failed"], found["tried"]) == ({}, [])


def test_the_module_tells_slicer_who_it_is():
    parent = import_in_a_fresh_python(["MetaSSLSlicer"])["parent"]
    assert parent["title"] == "MetaSSL"
    assert parent["categories"] == ["Active Learning"]
    assert parent["contributors"] and all(parent["contributors"])
    assert len(parent["helpText"]) > 80
    assert "not for clinical" in parent["helpText"].lower()
    assert re.search(r"https://doi\.org/10\.\d{4,}/\S+", parent["acknowledgementText"])


def test_the_category_is_translated_by_slicer_itself():
    calls = [node for node in ast.walk(tree_of(MODULE_FILE)) if isinstance(node, ast.Call)]
    said = [[ast.literal_eval(part) for part in call.args] for call in calls if dotted(call.func) == "translate"]
    assert ["qSlicerAbstractCoreModule", "Active Learning"] in said


def test_a_forbidden_import_is_noticed_even_when_its_failure_is_caught(tmp_path, monkeypatch):
    (tmp_path / "careless.py").write_text(
        "try:\n    import torch.nn\nexcept ImportError:\n    pass\n", encoding="utf-8"
    )
    monkeypatch.setattr(sys.modules[__name__], "MODULE", tmp_path)
    assert import_in_a_fresh_python(["careless"])["tried"] == ["torch"]


def test_the_user_s_choices_are_kept_in_one_place_which_the_self_test_can_exchange():
    users = [path.name for path in slicer_side() for node in ast.walk(tree_of(path)) if dotted(node) == "qt.QSettings"]
    assert set(users) == {"userSettings.py"}


def test_what_the_panel_imports_runs_in_the_oldest_python_of_a_slicer_that_is_supported():
    """Slicer 5.8 has Python 3.9."""
    shared = [
        MODULE / "metassl" / part
        for part in ("files", "imaging", "choices", "project", "jobs", "machines", "finish", "intake", "exports")
    ]
    command = [shutil.which("vermin", path=Path(sys.executable).parent), "--target=3.9-", "--no-tips", "--violations"]
    done = subprocess.run([*command, *map(str, slicer_side() + shared)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
