"""Step report: one page about the whole run."""
