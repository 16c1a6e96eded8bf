"""One build: from a recipe to a judged bundle, and the same again for `verify`."""
