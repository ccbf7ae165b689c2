"""What results look like: plain text in a terminal, self-contained HTML in a notebook."""
