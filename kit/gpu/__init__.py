"""A GPU without a GPU: a software Vulkan driver, pinned package by package."""
