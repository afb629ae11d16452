"""What is done in a desktop Slicer, by name."""

from __future__ import annotations

from journeys.by_slices import BySlices
from journeys.dicom import Dicom
from journeys.large_case import LargeCase
from journeys.next_case import NextCase
from journeys.pictures import Pictures
from journeys.scenes import Scenes
from journeys.self_test import SelfTest
from journeys.set_up import SetUp
from journeys.whole_loop import WholeLoop

JOURNEYS = {
    "self_test": SelfTest,
    "whole_loop": WholeLoop,
    "next_case": NextCase,
    "by_slices": BySlices,
    "set_up": SetUp,
    "scenes": Scenes,
    "dicom": Dicom,
    "large_case": LargeCase,
}
EXTRA = {"pictures": Pictures}
"""Only when asked for."""
