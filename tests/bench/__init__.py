"""What a job costs: the whole line against an instant provider, beside the bare limits of the same machine."""
