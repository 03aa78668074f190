"""Shared by all widgets: labels, times, status, display, repainting."""
