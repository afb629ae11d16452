"""The catalogues: what they name can be loaded, and somebody else's package can add to them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from metassl import cli
from metassl.choices.exporters import EXPORTER_CATALOG
from metassl.choices.frameworks import FRAMEWORK_CATALOG
from metassl.choices.importers import IMPORTER, IMPORTER_CATALOG
from metassl.choices.launchers import LAUNCHER_CATALOG
from metassl.choices.plugins import load
from metassl.choices.strategies import STRATEGY_CATALOG
from metassl.frameworks import FRAMEWORKS
from metassl.selection.base import get_strategy

ENGINE = Path(cli.__file__).parents[1]
CATALOGUES = FRAMEWORK_CATALOG, STRATEGY_CATALOG, EXPORTER_CATALOG, IMPORTER_CATALOG, LAUNCHER_CATALOG
PATHS = [each.path for catalogue in CATALOGUES for each in catalogue] + [IMPORTER]

PACKAGE = """
from metassl.choices.descriptions import (
    ExporterDescription, FrameworkDescription, ImporterDescription, LauncherDescription, StrategyDescription
)

FRAMEWORK = FrameworkDescription("mine", "Mine", "for a test", "none", "nobody, 2026", "somebodys.mine:Mine")
STRATEGY = StrategyDescription("by_name", "in the order of their names", path="somebodys.code:ByName")
EXPORTER = ExporterDescription("list", "A list", "somebodys.code:export_list")
IMPORTER = ImporterDescription("twin", "Twins", "a.twin", "somebodys.code:find_twins")
LAUNCHER = LauncherDescription("upstairs", "the machine upstairs", "somebodys.code:Upstairs")
"""
MINE = """
from metassl.frameworks.supervised import Supervised

class Mine(Supervised):
    name = "mine"
"""
CODE = """
from metassl.selection.base import Scored

class Upstairs:
    name = "upstairs"

def find_twins(tree):
    from metassl.intake import Discovery, FoundCase
    twins = [name for name in tree.all() if name.endswith(".twin")]
    return Discovery([FoundCase(name[:-5], [tree.path(name)]) for name in twins]) if twins else None

def export_list(export):
    (export.folder / "list.txt").write_text(" ".join(export.labelled))
    export.result.labels += export.labelled

class ByName:
    needs = ()

    def order(self, candidates, context):
        return [Scored(each.case, 1.0, "by name") for each in sorted(candidates, key=lambda each: each.case)]
"""
ENTRY_POINTS = """
[metassl.frameworks]
mine = somebodys:FRAMEWORK

[metassl.strategies]
by_name = somebodys:STRATEGY

[metassl.exporters]
list = somebodys:EXPORTER

[metassl.importers]
twin = somebodys:IMPORTER

[metassl.launchers]
upstairs = somebodys:LAUNCHER

[metassl.commands]
broken = somebodys.nowhere
"""


@pytest.fixture
def plugged(tmp_path) -> dict[str, str]:
    """The environment of a Python where somebody's package is installed beside ours."""
    (tmp_path / "somebodys").mkdir()
    (tmp_path / "somebodys" / "__init__.py").write_text(PACKAGE, encoding="utf-8")
    (tmp_path / "somebodys" / "mine.py").write_text(MINE, encoding="utf-8")
    (tmp_path / "somebodys" / "code.py").write_text(CODE, encoding="utf-8")
    (tmp_path / "somebodys-1.0.dist-info").mkdir()
    (tmp_path / "somebodys-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: somebodys\nVersion: 1.0\n", encoding="utf-8"
    )
    (tmp_path / "somebodys-1.0.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ENGINE), str(tmp_path)])}


@pytest.mark.parametrize("path", PATHS)
def test_what_a_catalogue_names_is_there(path):
    assert load(path) is not None


def test_the_catalogues_and_the_registries_name_the_same():
    assert {each.name: load(each.path) for each in FRAMEWORK_CATALOG} == FRAMEWORKS
    assert all(type(get_strategy(each.name)) is load(each.path) for each in STRATEGY_CATALOG)


def test_a_framework_and_a_strategy_live_in_somebody_elses_package(plugged):
    code = (
        "from metassl.frameworks import FRAMEWORKS; from metassl.selection.base import get_strategy\n"
        "print(FRAMEWORKS['mine'].__module__, type(get_strategy('by_name')).__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=plugged, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["somebodys.mine", "somebodys.code"]
    code = (
        "from MetaSSLSlicerLib.Logic.Project.Ranking import STRATEGIES\n"
        "from MetaSSLSlicerLib.Logic.Training.TrainingOptions import frameworkTexts\n"
        "print(frameworkTexts()['mine'], dict(STRATEGIES())['by_name'], sep=', ')"
    )
    done = subprocess.run([sys.executable, "-c", code], env=plugged, capture_output=True, text=True, check=True)
    assert done.stdout == "Mine, in the order of their names\n", "the panel offers them, too"
    command = [sys.executable, "-m", "metassl", "frameworks"]
    told = subprocess.run(command, env=plugged, capture_output=True, text=True, check=True)
    assert "Mine: for a test" in told.stdout
    assert "cannot be loaded" in told.stderr  # the command that is not there stops no other


def test_an_exporter_an_importer_and_a_launcher_live_there_too(plugged, tiny_project, tmp_path):
    def metassl(*words) -> str:
        command = [sys.executable, "-m", "metassl", *map(str, words)]
        return subprocess.run(command, env=plugged, capture_output=True, text=True, check=True).stdout

    metassl("export", tiny_project.path, tmp_path / "out", "--format", "list")
    assert (tmp_path / "out" / "list.txt").read_text(encoding="utf-8").split() == ["case_0", "case_1", "case_2"]
    (tmp_path / "twins").mkdir()
    (tmp_path / "twins" / "a.twin").write_text("", encoding="utf-8")
    assert "twins: Twins" in metassl("scan", tmp_path / "twins")
    code = "from metassl.jobs import get_launcher; print(get_launcher('upstairs').name, get_launcher().name)"
    done = subprocess.run([sys.executable, "-c", code], env=plugged, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["upstairs", "local"]
