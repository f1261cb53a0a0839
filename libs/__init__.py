"""Machinery every service shares; nothing here knows a storyboard from a film."""
