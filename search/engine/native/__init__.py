"""What a training step computes in C++, for float32 on the CPU; XLA calls it.

Convolutions and BatchNorm with their gradients, the optimiser's step, running statistics.

XLA's own convolutions on the CPU take up to ten times as long in training, and what JAX can say
instead (`search.engine.ops`) two to four times. Compiled on the machine itself, for its processor.
"""
