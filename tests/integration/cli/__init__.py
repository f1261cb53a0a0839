"""The command against real houses."""
