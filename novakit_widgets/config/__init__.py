"""Settings, API keys, and keeping keys out of texts."""
