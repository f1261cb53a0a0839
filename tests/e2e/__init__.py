"""Whole houses, and what others see of them."""
