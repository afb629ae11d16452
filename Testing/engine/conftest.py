"""A plan small enough for tests."""

import pytest
import tiny_plan as support


@pytest.fixture
def tiny_plan():
    """tiny_plan(**changes) -> Plan: 16³ patches, three classes, a network of a few thousand weights."""
    return support.tiny_plan
