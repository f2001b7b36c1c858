"""Datasets on disk, batches in memory, and the conversion between them."""
