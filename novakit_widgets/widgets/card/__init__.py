"""One job as a card."""
