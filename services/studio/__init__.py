"""Owns what a person sees in the browser; asks the other services for everything and keeps nothing of theirs."""
