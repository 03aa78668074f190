"""What the plan has left."""
