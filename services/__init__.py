"""The household: one folder per service, and none imports another."""
