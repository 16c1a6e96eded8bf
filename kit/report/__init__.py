"""report.html of a bundle: what a build measured, on one page that needs nothing else. Measures nothing itself.

Values in, text out: kit.build.write_report says what they are.
"""
