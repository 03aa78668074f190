"""What things cost, each beside a named alternative in the same run.

Run ``python -m benchmarks polling`` (``--help`` names the others). Nothing here is a test: numbers depend on the
machine, ratios much less.
"""
