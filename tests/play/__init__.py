"""Films in a real browser."""
