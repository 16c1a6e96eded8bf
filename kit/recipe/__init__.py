"""The recipe: its types, how it is read, and what is said where it is wrong."""
