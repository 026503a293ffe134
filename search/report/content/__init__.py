"""What the pages show, as typed values that are computed before anything is drawn."""
