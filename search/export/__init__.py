"""Models that leave a study: weights in one file, and the network loaded from it."""
