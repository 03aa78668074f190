"""What a cell calls: imports, the first card and the first cell."""
