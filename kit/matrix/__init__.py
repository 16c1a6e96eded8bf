"""One recipe built by several toolchains, and what differs between what they made."""
