"""The services as REST under /v1: one table of routes over their contract, and the fronts that other clients know."""
