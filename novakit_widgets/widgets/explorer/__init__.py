"""A form for trying prompts."""
