"""The architectures that users train, each built in every scheme and judged: `inv bench --models`."""
