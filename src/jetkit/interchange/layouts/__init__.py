"""How other libraries name the tensors of models that jetkit has too, one library a file."""
