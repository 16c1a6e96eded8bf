"""What must not outlive a run, whatever ends it: its processes, its temporary files, its claims on shared folders."""
