"""Studies beside each other: what differs, and whether it made a difference."""
