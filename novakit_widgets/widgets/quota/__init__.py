"""The remaining quota."""
