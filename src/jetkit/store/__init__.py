"""Storage of trainings: model files, checkpoints, run folders and predictions, readable without training."""
