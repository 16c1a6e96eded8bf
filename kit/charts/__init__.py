"""Charts as SVG that is the same bytes for the same numbers: axes, marks, and where labels go. Measures nothing.

The marks' places are computed here, and templates/charts draws them: a library that draws SVG sets styles of its own
inside of it, which follow neither a dark page nor a narrow one, and takes longer to import than a whole report.
"""
