"""NumPy twins of every step of the engine: short, plain, and the oracle that the engine is tested against."""
