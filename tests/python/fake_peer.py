"""Peers of `cutaway bench` that are always there: cutaway under another name, and one that computes something else."""

from cutaway.bench.side_cutaway import Cutaway


class Same(Cutaway):
    def __init__(self, path, threads, n_ctx=512, sequences=1):
        super().__init__(path, threads, n_ctx=n_ctx)

    def facts(self):
        return {"version": "1.2", "threads": self.model.info()["threads"], "system": "a CPU"}


class Other(Same):
    def append(self, ids):
        return -super().append(ids)
