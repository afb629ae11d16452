"""The self test of the module, which desktop Slicer runs, passes in the harness as well."""

from __future__ import annotations

from MetaSSLSlicerLib.Logic.Dependencies import Dependencies, readRequirements
from MetaSSLSlicerLib.SelfTest import SelfTest


def test_the_self_test_goes_through_the_loop_with_a_real_training(harness, openModule):
    panel, said = openModule().panel, []
    SelfTest(said.append, panel).run()
    assert said[-1] == "The loop works" and "A short training in the background" in said
    assert panel.session.project is None


def test_the_self_test_says_that_training_is_skipped_where_packages_are_missing(harness, openModule, monkeypatch):
    monkeypatch.setattr(Dependencies, "missing", lambda self: readRequirements()[:1])
    panel, said = openModule().panel, []
    SelfTest(said.append, panel).run()
    assert said[-1] == "The loop works"
    assert any("skipped" in text for text in said)
