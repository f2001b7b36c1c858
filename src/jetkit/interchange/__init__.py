"""The weights and graphs of other programs, in and out."""
