"""Formulas of jet physics on arrays and tensors: stateless functions without input or output."""
