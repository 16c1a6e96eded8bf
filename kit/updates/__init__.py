"""Models that come over the air: the terms on which a class takes one, and the signing of one."""
