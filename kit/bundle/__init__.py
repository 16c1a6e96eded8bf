"""The bundle: its layout, its signature, its manifest and the files that both are read from."""
