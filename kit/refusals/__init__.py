"""Every refusal of the kit, read from its own source, and the page of them: docs/errors.md."""
