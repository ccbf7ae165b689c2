"""What `make bench` runs: cutaway beside the engines that people choose for speed, by turns, on the same file and ids.

    PYTHONPATH=tests python -m bench [ROW ...] [--quick] [--threads N] [--rounds N]

A row of the table is one module of `bench.rows`. Each side lives in a process of its own, so that neither sees the
other's threads or memory; each turn is timed inside that process. Nothing here is asserted.
"""
