"""The recipe: one file that says what the data are and what is wanted of them."""
