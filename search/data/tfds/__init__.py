"""TensorFlow Datasets: find, prepare and read its sets, without TensorFlow where possible."""
