"""What Model Explorer, a program of its own, shows beside a bundle's graph: the kit's numbers for each operator."""
