"""Faults injected into a project's daily life: nothing may be lost. Run with `make faults`; see campaigns.py."""
