"""The rows of the table, one module each. A new row is one new module here."""
