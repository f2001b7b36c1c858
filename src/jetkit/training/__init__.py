"""Training: from a dataset and options to a run folder with a model file."""
