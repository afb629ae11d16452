"""The training job: started detached, resumable to the bit, honest about its device, its time and its memory."""

import os

# Read when torch loads OpenMP. Threads that wait for each other by spinning make training several times slower as
# soon as another program, such as Slicer, wants one of the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
