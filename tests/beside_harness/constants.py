"""What constants.py.j2 becomes in a bundle: for tests that import the harness as it is, and for the type checker."""

BUNDLE = "digits"
ASSETS = "../src/main/assets/digits"
RUNTIME = "litert:2.3.0"
KIT_VERSION = "0"
