"""What a cell calls."""
