"""What leaves a study: weights in one file, and the model that is loaded from them."""
