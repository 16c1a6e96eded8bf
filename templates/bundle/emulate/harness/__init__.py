"""The parts of emulate.py. They need Python 3.10, numpy and a LiteRT interpreter; Pillow for images; nothing else."""
