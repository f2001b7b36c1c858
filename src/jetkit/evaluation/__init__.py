"""Arrays in, numbers with errors out; knows no model, no file, no picture."""
