"""How a training is set where nobody says otherwise."""

DEFAULTS = {"framework": "cps", "loss": "metassl", "device": "auto", "seed": 0, "minutes": 4.0}
