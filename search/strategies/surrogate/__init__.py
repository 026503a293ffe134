"""Expected hypervolume improvement under a Gaussian process over encodings."""
