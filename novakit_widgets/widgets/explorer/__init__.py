"""A form to explore prompts with."""
