"""How the softmaxes of both networks are moved before anything is made of them (docs/UNCERTAINTY.md).

Labels, region map, thresholds and P(error) move together.
"""
