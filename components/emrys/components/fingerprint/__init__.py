"""The fingerprint step: names the content of the data, so that what depends on it is run again when it changes."""
