"""The architectures that people train, each built in every scheme and judged: `inv bench --models`."""
