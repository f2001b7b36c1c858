"""What is stored of a training and opened without training: model files, checkpoints, run folders, predictions."""
