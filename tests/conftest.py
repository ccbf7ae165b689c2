"""Loaded before NumPy is: the references' many small products are slower, not faster, on several BLAS threads."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
