"""Encoders and encoder-decoders: closed forms of their parameters, by table.

A row of encoders.toml or pictures.toml in catalogs/architectures names a `family` (the closed form: FORMS of read.py)
and changes what the form is made of: `let` gives names a meaning (values.py), `extra` adds matrices and small tensors,
for `each` place of a list where it says so, `heads` says what the class named by `architectures` has on top (heads).
"""
