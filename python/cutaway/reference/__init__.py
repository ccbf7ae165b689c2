"""Readable NumPy twins of the engine: one idea per file, no tricks. They are the lesson and the test oracle.

Start at `decoder.py`: it runs a whole model from a `Config` and a dictionary of weights and returns every named
activation. `llama.py` and `gemma3.py` say what is their family's own; `loader.load` reads both from a GGUF file. Array
shapes are written next to every argument.
"""
