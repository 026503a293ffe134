"""One search: ask, evaluate, store, tell; and the same for one's own space without Hydra."""
