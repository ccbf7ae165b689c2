"""Readable NumPy twins of the engine: one idea per file, no tricks. They are the lesson and the test oracle.

Start at `llama.py` or `gemma3.py`: each runs a whole model from a `Config` and a dictionary of weights and returns
every named activation. `loader.load` reads both from a GGUF file. Array shapes are written next to every argument.
"""
