"""Slurm, by its own commands: sbatch, squeue, sacct, scancel, scontrol.

Not through submitit: it asks sacct alone, which needs a database that not every cluster has and knows no reason why a
job waits; it hands over pickled functions, which this project never reads from a folder; and where only a login node
has Slurm, there would be nothing to import it.
"""
