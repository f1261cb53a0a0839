"""Owns productions, jobs, takes and the order in which scenes wait for each other; never talks to a provider."""
