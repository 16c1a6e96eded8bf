"""Faults, counted: killed runs in every stage, full disks at every write."""
