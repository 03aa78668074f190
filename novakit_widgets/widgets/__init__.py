"""The views, made of ipywidgets. Nothing here knows HTTP."""
