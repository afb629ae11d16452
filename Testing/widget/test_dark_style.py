"""The panel in Slicer's dark and light styles: what is written can be read, and what is drawn can be seen."""

from __future__ import annotations

from collections import Counter

import pytest
import qt
from color_distance import SIGHTS, contrast, distance
from metassl.project.regions import DC, DS, US
from MetaSSLSlicerLib.Logic.Case.Session import Message
from MetaSSLSlicerLib.Widgets import Banner
from MetaSSLSlicerLib.Widgets.Parts import CurvePicture
from MetaSSLSlicerLib.Widgets.Parts.UncertaintyBar import HEIGHT, WIDTH, UncertaintyBar
from PySide6 import QtGui, QtWidgets

STYLES = {  # role: colour; as in qSlicerStyle::standardLightPalette and standardDarkPalette
    "light": {
        "Window": "#ffffff", "WindowText": "#000000", "Base": "#ffffff", "AlternateBase": "#e4e4fe", "Text": "#000000",
        "Button": "#fcfcfc", "ButtonText": "#000000", "Light": "#c8c8c8", "Midlight": "#e6e6e6", "Dark": "#aaaaaa",
        "Mid": "#c8c8c8", "Shadow": "#5a5a5a", "Highlight": "#308cc6", "HighlightedText": "#ffffff", "Link": "#0000ff",
        "PlaceholderText": "#808080",
    },
    "dark": {
        "Window": "#323232", "WindowText": "#ffffff", "Base": "#1e1e1e", "AlternateBase": "#323232", "Text": "#ffffff",
        "Button": "#323232", "ButtonText": "#ffffff", "Light": "#828284", "Midlight": "#5a5a5b", "Dark": "#232323",
        "Mid": "#2b2b2b", "Shadow": "#141414", "Highlight": "#3ca4ff", "HighlightedText": "#ffffff", "Link": "#3ca4ff",
        "PlaceholderText": "#c0c0c0",
    },
}  # fmt: skip
READABLE, VISIBLE = 4.5, 3.0  # WCAG 2.1: text, and what is not text


@pytest.fixture(params=STYLES)
def style(request, harness):
    """One of Slicer's styles, as its name."""
    application = QtWidgets.QApplication.instance()
    former, palette = application.palette(), QtGui.QPalette()
    for role, color in STYLES[request.param].items():
        palette.setColor(getattr(QtGui.QPalette.ColorRole, role), QtGui.QColor(color))
    application.setPalette(palette)
    yield request.param
    application.setPalette(former)


def colors(widget) -> list[str]:
    """The colours of a widget as it is drawn, the most frequent one first."""
    image = QtWidgets.QWidget.grab(widget).toImage()
    counts = Counter(image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height()))
    return [color for color, _count in counts.most_common()]


def readability(widget) -> float:
    """The contrast between a widget's ground and what stands out of it most."""
    ground, *others = colors(widget)
    return max((contrast(ground, other) for other in others), default=21.0)


def written(panel) -> list:
    """Everything in the panel that shows words now and can be used."""
    kinds = (QtWidgets.QLabel, QtWidgets.QCheckBox, QtWidgets.QRadioButton)
    found = [each for kind in kinds for each in QtWidgets.QWidget.findChildren(panel.widget, kind)]
    return [each for each in found if each.isVisible() and each.isEnabled() and each.text and each.width > 2]


def test_all_words_in_the_panel_can_be_read(style, panel, harness, make_grid):
    panel.widget.show()
    panel.session.openCase("case_3")
    harness.wait(lambda: panel.session.case is not None)
    for section in panel.sections:
        if hasattr(getattr(section, "ui", None), "section"):
            section.ui.section.collapsed = False
    for level in Banner._COLORS:
        panel.banner.hide()
        panel.banner.show(Message(level, "Something to say", "Do it", lambda: None))
        harness.process(50)
        words = written(panel)
        assert len(words) > 10 and panel.banner.label in words and panel.banner.mark in words
        unreadable = {each.text: readability(each) for each in words if readability(each) < READABLE}
        assert not unreadable
        assert panel.banner.mark.text == {"info": "i", "warning": "!", "error": "×"}[level], "not by colour alone"
    harness.grab(panel.widget, f"style_{style}", 420)


@pytest.mark.parametrize("style_", STYLES)
def test_frames_and_curves_stand_out_of_the_window(style_):
    drawn = {**Banner._COLORS, "loss": CurvePicture.LOSS_COLOR, "dice": CurvePicture.DICE_COLOR}
    seen = {name: contrast(color, STYLES[style_]["Window"]) for name, color in drawn.items()}
    assert min(seen.values()) >= VISIBLE, seen


@pytest.mark.parametrize("sight", SIGHTS)
def test_the_two_curves_differ_for_every_reader(sight):
    assert distance(CurvePicture.LOSS_COLOR, CurvePicture.DICE_COLOR, sight) >= 10


def test_the_bar_of_a_case_tells_its_regions_apart_without_colours():
    image = UncertaintyBar().icon({"US": 0.1, "DC": 0.1, "DS": 0.1}).pixmap(WIDTH, HEIGHT).toImage()
    heights = {}
    for region in (US, DC, DS):
        wanted = qt.QColor(region.color).name()
        rows = [y for y in range(HEIGHT) for x in range(WIDTH) if image.pixelColor(x, y).name() == wanted]
        heights[region.key] = max(rows) - min(rows) + 1
    assert heights["US"] < heights["DC"] < heights["DS"]


@pytest.mark.parametrize("style_", STYLES)
def test_the_bar_of_a_case_has_an_edge_on_every_ground(style_):
    image = UncertaintyBar().icon({"US": 0.3, "DC": 0.0, "DS": 0.0}).pixmap(WIDTH, HEIGHT).toImage()
    edge = image.pixelColor(5, HEIGHT - 1)
    assert edge.alpha() == 255 and contrast(edge.name(), STYLES[style_]["Base"]) >= VISIBLE
