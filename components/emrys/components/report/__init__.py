"""The report step: everything about a run on one page."""
