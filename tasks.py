"""What `inv` finds in a checkout: the same collection as the installed `kit` command."""

from kit.commands.program import namespace

__all__ = ["namespace"]
