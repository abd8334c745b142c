"""Rows in, HTML out: plain values become self-contained pages. Imports jinja2 and nothing else; reads no data."""
