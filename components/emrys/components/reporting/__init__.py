"""HTML pages about a run, which need nothing but themselves: what the reports of the steps share."""
