"""Owns storyboards, every revision of them and the prompts composed from them; it never calls a provider or spends."""
