"""Tensor names and layouts of other libraries for models that jetkit has too, one library per file."""
