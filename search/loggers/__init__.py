"""Where a search is followed beside its study: TensorBoard, MLflow, Weights & Biases, CSV."""
