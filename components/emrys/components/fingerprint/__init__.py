"""Step fingerprint: identifies the content of a data set, so that later steps run again when it changes."""
