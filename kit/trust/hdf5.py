"""What an HDF5 file asks for beyond itself: data in other files. Needs h5py, which is imported where it is used."""

from __future__ import annotations

from typing import Any

from kit.trust.allowed import Ask


def asks_of_hdf5(file: Any) -> list[Ask]:
    """Return the external links, external storage and virtual datasets below an open h5py group.

    Follows no link and opens no other file.
    """
    import h5py

    asks, groups, seen = [], [file], set()
    while groups:
        group = groups.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                asks.append(Ask("file", f"'{group.name}/{name}'", f"is a link into the file {link.filename!r}"))
            elif isinstance(link, h5py.HardLink):
                item = group[name]
                if isinstance(item, h5py.Group):
                    address = h5py.h5o.get_info(item.id).addr
                    if address not in seen:
                        seen.add(address)
                        groups.append(item)
                elif isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
                    asks.append(Ask("file", f"'{item.name}'", "has its numbers in another file"))
    return asks
