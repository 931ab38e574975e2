"""What every block is made of: the base class, composition, selection, aggregation."""
