"""Where jobs are evaluated: one file each, all with `submit` and `next`."""
