"""The pinned toolchains and runtimes: which there are, what each needs, and how their packages get here."""
