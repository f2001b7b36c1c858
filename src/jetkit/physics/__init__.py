"""Formulas of jet physics on arrays and tensors: no state, no input or output."""
