"""Writes checkpoints into the current folder: `python make.py NAME...`, by the version of PyTorch the README names.

Not part of the tests, which need no PyTorch. It only uses what PyTorch 1.4 and Python 2.7 have too.
"""

import sys
from collections import OrderedDict

import torch


def tensor(*shape, **options):
    return torch.zeros(shape, **options)


def state_dict():
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Embedding(4, 2))
    return module.state_dict()  # an OrderedDict with the attribute _metadata


def of_each(names):
    return {name: tensor(2, 3, dtype=getattr(torch, name)) for name in names.split()}


def floats():
    return of_each("float64 float32 float16 bfloat16 complex64")


def integers():
    return of_each("int64 int32 int16 int8 uint8 bool")


def untyped():
    return of_each("float8_e4m3fn float8_e5m2 uint16 uint32 uint64")


def tied():
    weight = torch.nn.Parameter(tensor(4, 2, dtype=torch.bfloat16))
    return OrderedDict([("wte.weight", weight), ("ln.weight", tensor(2)), ("lm_head.weight", weight)])


def slices():
    whole = tensor(4, 6)
    return {"upper": whole[:2], "lower": whole[2:]}


def columns():
    return {"turned": tensor(4, 6).t(), "columns": tensor(4, 6)[:, 1:3], "scalar": tensor()}


def nested():
    return {"epoch": 3, "rate": 0.5, "name": "small", "sizes": [1, 2], "state_dict": state_dict()}


def optimizer():
    weight = torch.nn.Parameter(tensor(2, 2))
    adam = torch.optim.Adam([weight])
    weight.sum().backward()
    adam.step()
    return {"model": {"weight": weight.detach()}, "optimizer": adam.state_dict()}


def parameters():
    named = torch.nn.Parameter(tensor(2), requires_grad=False)
    named.tag = "an attribute"
    return {"weight": torch.nn.Parameter(tensor(3, 2)), "bias": named}


def module():
    return torch.nn.Linear(3, 2)


def quantised():
    return {"weight": torch.quantize_per_tensor(tensor(2, 2), 0.1, 0, torch.qint8)}


def expanded():
    return {"row": tensor(1).expand(5)}


def protocol_4():
    return state_dict()


def legacy():
    return state_dict()


def legacy_tied():
    return tied()


def legacy_slices():
    return slices()


def legacy_nested():
    return nested()


def python2():
    return tied()


def write(name):
    options = {}
    if name.startswith("legacy") and torch.__version__ >= "1.6":
        options["_use_new_zipfile_serialization"] = False
    if name == "protocol_4":
        options["pickle_protocol"] = 4
    torch.save(globals()[name](), name + ".bin", **options)


if __name__ == "__main__":
    for asked in sys.argv[1:]:
        write(asked)
