"""An arm64 machine without one: qemu's user-mode emulator and a small Debian, pinned package by package."""
