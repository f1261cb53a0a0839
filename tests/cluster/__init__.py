"""A real Kubernetes of one node, on this machine and seen by nobody else: `make cluster-test`."""
