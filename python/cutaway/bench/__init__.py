"""What `cutaway bench` and the repository's harness (`tests/bench`) measure with: the same work, timed the same way.

Each side lives in a process of its own, so that neither sees the other's threads or memory; each turn is timed inside
that process. A figure is the median of some turns, with the lowest and the highest.
"""
