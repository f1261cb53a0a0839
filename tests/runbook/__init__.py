"""docs/runbook.md, command by command."""
