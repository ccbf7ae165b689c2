"""Loaded before NumPy is."""

import os
import signal

# The references' many small products are slower, not faster, on several BLAS threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# A run in the background starts with Ctrl-C ignored, and so would every process that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
