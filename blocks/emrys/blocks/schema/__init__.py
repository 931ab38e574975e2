"""Reading and writing what a schema says about columns."""
