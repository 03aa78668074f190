"""Benchmarks of the package, each beside a named alternative in the same run.

Run ``python -m benchmarks polling`` (``--help`` lists the others). They are not tests: numbers depend on the machine,
ratios much less.
"""
