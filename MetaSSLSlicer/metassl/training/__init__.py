"""The training job: started detached, resumable to the bit, honest about its device, its time and its memory."""

import os

# Read when torch loads OpenMP. With its default, threads that wait for each other spin for long, and training gets ten
# times slower as soon as another program, such as Slicer, wants one of the cores. Not spinning at all is slower, too.
os.environ.setdefault("GOMP_SPINCOUNT", "30000")
