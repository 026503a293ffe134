"""Compiled training programs: one a layer, one a step, or one an epoch; and which serves when."""
