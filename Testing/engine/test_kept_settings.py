"""Who goes on with a comparison by other options than before is told which option, by its own name."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields, replace
from typing import Any

import pytest
from metassl.commands.shared.console import Console
from metassl.files.errors import MetaSSLError
from metassl_research.benchmark import settings as benchmark_settings
from metassl_research.cohort import settings as cohort_settings
from metassl_research.cohort.costs import read_costs
from metassl_research.commands import benchmark, simulate
from metassl_research.commands.options import resumable
from metassl_research.simulation import settings as simulation_settings

COSTS, SOURCES = read_costs()
BENCHMARK = benchmark_settings.Settings("d", (3, 8), ("cps",), ("plain", "metassl"), noisy=0.3)
SIMULATION = simulation_settings.Settings("d", ("random",))
COHORT = cohort_settings.Settings("d", ("draw",), COSTS, SOURCES, (3, 8, 32))


def refused(settings: Any, former: Any) -> str:
    go_on = getattr(settings, "continues", None) or settings.merged
    with pytest.raises(MetaSSLError) as caught:
        go_on(former.to_json(), "run.json")
    return str(caught.value)


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, tuple):
        return value[:-1]
    if isinstance(value, dict):
        return dict.fromkeys(value, "another")
    return replace(value, draw_slice=99.0) if value == COSTS else "another"


@pytest.mark.parametrize(
    ("command", "settings", "names"),
    [
        (benchmark, BENCHMARK, (*benchmark_settings.FIXED, "noisy")),
        (simulate, SIMULATION, None),
        (simulate, COHORT, None),
    ],
)
def test_every_setting_that_must_stay_is_told_by_an_option_that_there_is(command, settings, names):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    known = {word for action in parser._actions for word in action.option_strings}
    module = cohort_settings if settings is COHORT else simulation_settings
    names = names or [each.name for each in fields(settings) if each.name not in module.MAY_GROW]
    for name in names:
        text = refused(settings, replace(settings, **{name: other(getattr(settings, name))}))
        option = re.search(r"other settings: (?:no )?(\S+)", text)[1]
        assert option in known or name in ("case_seconds", "voxel_seconds"), text


def test_what_was_asked_and_what_there_is_are_told_as_they_are_typed():
    assert "--after 3,8,32 (it has 3,8);" in refused(COHORT, replace(COHORT, rounds=(3, 8)))
    costly = replace(COHORT, costs=replace(COSTS, draw_slice=99.0))
    assert f"--costs draw_slice {COSTS.draw_slice} (it has draw_slice 99.0);" in refused(COHORT, costly)
    assert "no --fresh (it has it);" in refused(SIMULATION, replace(SIMULATION, fresh=True))
    assert "--fresh (it has none);" in refused(replace(SIMULATION, fresh=True), SIMULATION)
    assert "no --pool (it has 5);" in refused(SIMULATION, replace(SIMULATION, pool=5))
    assert "--minutes 2.0 (it has none);" in refused(replace(SIMULATION, minutes=2.0), SIMULATION)


def test_who_stops_a_comparison_is_told_how_to_type_it_again(capsys):
    arguments = argparse.Namespace(data="liver", out="run.json")
    with pytest.raises(KeyboardInterrupt), resumable("simulate --goal cohort", arguments, Console()):
        raise KeyboardInterrupt
    assert "metassl simulate --goal cohort --data liver --out run.json" in capsys.readouterr().out
