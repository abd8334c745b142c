"""Rows in, HTML out."""
