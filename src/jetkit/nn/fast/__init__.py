"""Compiled and fused ways of layers in `jetkit.nn`, whose plain mathematics is their reference."""
