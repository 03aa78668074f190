"""How often a key may ask and submit."""
