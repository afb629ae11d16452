"""What is done in a desktop Slicer, by name."""

from __future__ import annotations

from journeys.dicom import Dicom
from journeys.large_case import LargeCase
from journeys.next_case import NextCase
from journeys.pictures import Pictures
from journeys.scenes import Scenes
from journeys.self_test import SelfTest
from journeys.whole_loop import WholeLoop

JOURNEYS = {
    "self_test": SelfTest,
    "whole_loop": WholeLoop,
    "next_case": NextCase,
    "scenes": Scenes,
    "dicom": Dicom,
    "large_case": LargeCase,
}
EXTRA = {"pictures": Pictures}
"""Only when asked for."""
