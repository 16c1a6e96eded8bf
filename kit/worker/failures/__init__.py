"""What went wrong in the worker, in the words of its user: which layer, why, and what to do."""
