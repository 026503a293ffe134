"""Evaluates jobs on a Ray cluster: an existing one, or one started on this machine."""
