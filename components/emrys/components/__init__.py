"""The steps of the pipelines: one folder each, its contract in `component.py`, its work in `step.py`."""
