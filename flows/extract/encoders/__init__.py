"""Encoders and encoder-decoders: closed forms of their parameters, by table.

A row of catalogs/architectures/encoders.toml names a `family` (the closed form: FORMS of read.py) and changes what
the form is made of: `let` gives names a meaning (values.py), `extra` adds matrices and small tensors, `heads` says
what the class named by `architectures` puts on top (heads.py).
"""
