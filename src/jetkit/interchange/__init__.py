"""Import of published checkpoints, and export of graphs for other programs."""
