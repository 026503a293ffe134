"""Everything that can be configured, as validated dataclasses; a file for each group."""
