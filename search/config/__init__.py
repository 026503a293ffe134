"""Everything that can be configured, as validated dataclasses."""
