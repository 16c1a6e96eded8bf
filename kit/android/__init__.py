"""The Android side of a bundle: generated Kotlin, the files beside it, and the proof that they work."""
