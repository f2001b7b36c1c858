"""Readers of foreign files, one format a file; importing this registers them all."""

from jetkit.data.readers import jetclass, top_tagging

__all__ = ["jetclass", "top_tagging"]
