"""Datasets on disk, clouds of particles in memory, and the way from one to the other."""
