"""Machinery every service shares. Nothing here knows a storyboard from a film."""
