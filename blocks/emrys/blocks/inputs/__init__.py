"""Input blocks: embedding tables, continuous features, pretrained vectors."""
