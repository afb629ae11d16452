"""Rules that keep the panel tidy: it can be made narrow, and what is hidden stays hidden."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

LAYOUTS = sorted((Path(__file__).parents[2] / "MetaSSLSlicer" / "Resources" / "UI").glob("*.ui"))
NARROW = 380


def widgets(layout: Path, className: str):
    return [widget for widget in ET.parse(layout).getroot().iter("widget") if widget.get("class") == className]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.stem)
def test_a_label_that_wraps_gives_way_in_width(layout):
    """A section asks for the width of its contents' hint, which for a wrapped label is a guess."""
    stiff = []
    for label in widgets(layout, "QLabel"):
        properties = {each.get("name"): each for each in label.findall("property")}
        wraps = "wordWrap" in properties and properties["wordWrap"].findtext("bool") == "true"
        policy = properties["sizePolicy"].find("sizepolicy").get("hsizetype") if "sizePolicy" in properties else ""
        if wraps and policy != "Ignored":
            stiff.append(label.get("name"))
    assert stiff == []


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.stem)
def test_a_section_holds_one_widget(layout):
    """It shows its direct children when it is unfolded, also those that were hidden on purpose."""
    for section in widgets(layout, "ctkCollapsibleButton"):
        assert len(section.find("layout").findall("item")) == 1


def test_the_whole_panel_fits_into_a_narrow_column(harness, openModule, tiny_project):
    widget = openModule()
    panel = widget.panel
    panel.projectWidget.openProject(tiny_project.path)
    panel.session.openCase("case_3")
    harness.wait(lambda: panel.session.case is not None)
    panel.session.say("error", "There is no file " + "/a-long-folder" * 12 + ".")
    harness.process(100)
    for section in (panel.engineWidget.ui.section, panel.roundsWidget.ui.roundsButton):
        section.collapsed = False
    harness.grab(widget.parent, "narrow", width=NARROW)
    assert widget.parent.width == NARROW
