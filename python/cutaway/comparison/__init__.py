"""Models side by side on the same prompts: `ca.compare`.

`prompts` renders what each model reads, `answers` runs it, `log` keeps finished rows, `table` holds the result;
`tokens` and `bits` compare what the models think of the same text, and `sides` are the models.
"""
