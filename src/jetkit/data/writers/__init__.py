"""Writers of foreign formats, one format a file."""
