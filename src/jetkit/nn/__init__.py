"""Building blocks that no paper is named after."""
