"""Checks for the exercises of the notebooks, one module per notebook. A check says what is wrong, not the answer."""
