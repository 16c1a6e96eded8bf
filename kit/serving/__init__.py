"""A local page on which files are dropped, and which shows what a bundle's model says of them."""
