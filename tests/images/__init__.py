"""Proves deploy/images and docker-compose.yml without an engine: `make images-test`."""
