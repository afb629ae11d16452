"""How a training is set where nobody says otherwise."""

MINUTES = 4.0
DEFAULTS = {"framework": "cps", "loss": "metassl", "device": "auto", "seed": 0, "minutes": MINUTES}
