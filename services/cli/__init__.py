"""Owns the `rushes` command and the house it runs on one machine; it never decides what a service decides."""
