"""The command ``novakit-widgets``."""
