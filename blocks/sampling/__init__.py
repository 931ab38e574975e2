"""Drawing negatives."""
