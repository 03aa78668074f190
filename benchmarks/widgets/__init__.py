"""Cards and boards: messages, memory and painting."""
