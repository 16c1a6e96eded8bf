"""What this machine has of all that some command needs, for `kit doctor`, and what can be mended without root."""
