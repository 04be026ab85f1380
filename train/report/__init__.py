"""A run as one page of HTML: plots, pictures and figures, with nothing to load and no script."""
