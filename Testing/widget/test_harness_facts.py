"""Every stand-in has everything that its real class adds to Qt."""

from __future__ import annotations

import pytest
from slicerharness import standins
from slicerharness.Facts import factsOf

CLASSES = sorted(standins.classes().items())


@pytest.mark.parametrize("name, cls", CLASSES, ids=[name for name, _ in CLASSES])
def test_a_stand_in_has_what_the_real_class_adds(harness, name, cls):
    facts = factsOf(name)
    ofQt = [known for known in (factsOf(f"qt.{base}") for base in facts.bases) if known]
    thing = cls()

    def added(kind):
        return set(getattr(facts, kind)).difference(*(getattr(known, kind) for known in ofQt))

    missing = [item for item in added("properties") if thing.metaObject().indexOfProperty(item) < 0]
    missing += [base for base in facts.bases if not thing.inherits(base)]
    missing += [item for item in added("slotNames") | added("attributes") if not hasattr(thing, item)]
    missing += [signature for signature in added("signals") if not _canConnect(thing, signature)]
    assert missing == []


def _canConnect(thing, signature: str) -> bool:
    try:
        return thing.connect(signature, lambda: None)
    except NotImplementedError:
        return False
