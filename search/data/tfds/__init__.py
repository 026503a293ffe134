"""TFDS without TensorFlow where that is possible: names, prepared data, preparing, reading."""
