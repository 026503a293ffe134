"""Trains many small networks fast: operations, the model, compiled programs, the training loop."""
