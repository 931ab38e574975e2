"""Reporting room: plots, page templates, and the views that self-contained HTML pages show."""
