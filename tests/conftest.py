"""One thread each: test processes with a pool of torch threads apiece wait for each other more than they compute.

It also makes trainings repeatable to the bit, which they are for a given number of threads.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # NB: read once, when torch and NumPy are imported
