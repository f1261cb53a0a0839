"""Pictures of the dashboards: a house at work, a Prometheus that looks at it, and every panel's question answered."""
