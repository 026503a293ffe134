"""Comparison of studies: which settings differ, and whether that made a difference."""
