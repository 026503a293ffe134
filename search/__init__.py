"""convbudget: the most accurate small convolutional network for a compute budget."""
