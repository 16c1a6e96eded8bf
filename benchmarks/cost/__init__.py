"""What the kit costs beside a bare script: time, CPU time and memory. `inv bench` runs it."""
