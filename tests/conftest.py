"""One thread a process: small tensors gain nothing from more, and threads of many processes wait for each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
