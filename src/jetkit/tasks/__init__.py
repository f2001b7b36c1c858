"""What is learned: a loss and a prediction."""
