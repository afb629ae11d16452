"""The trainings of the peers, each in a process of its own, if need be of another Python: see `elsewhere.py`."""
