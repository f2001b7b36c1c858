"""Writers of foreign formats, one format per file."""
