"""Owns the catalogue, quotes, budgets and submissions; alone holds provider keys and calls providers."""
