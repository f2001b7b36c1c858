"""Whole studies: train, evaluate and report in one go; they call the other rooms and compute nothing themselves."""
