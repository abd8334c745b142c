"""Bytes of a token that the layers of a class keep for a backward pass, or need at once in a prompt: the rows of
tests/golden/activations.csv.

    pip install torch==2.13.0 'transformers==5.24.*' peft==0.19.*
    python benchmarks/activations/count.py tests/golden/activations.csv [NUMBER …]

Models of the embedded snapshot are cut to a few layers and run forward on fake tensors, which have shapes and storages
but no memory, under a mode that follows every storage from its allocation to its end. Two batches, and the difference
from layer to layer, leave what belongs to tokens: copies of weights, masks shared by layers and the ends drop out.
Runs without a GPU and without weights. Each case of CASES is a process's work of seconds; NUMBERs choose some.
"""

from __future__ import annotations

import csv
import inspect
import json
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cuda_like
import torch
import transformers
from cases import CASES, LAYERS, LONG, LONGER, TOKENS
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ROOT = Path(__file__).parents[2]
FIELDS = ("model_id", "changes", "layers", "recipe", "rank", "context_tokens", "bytes_per_token", "source")
SOURCE = f"torch {torch.__version__.partition('+')[0]}, transformers {transformers.__version__} on fake tensors"
RANK = 16
ROUTERS = {"gate", "router", "shared_expert_gate"}  # get no adapters
BOUNDARY = 2  # the first layers hand on what others free
PROMPT_TOKENS = 1024
IN_FP32 = ("autocast", "fp32")
ADAPTED = ("adapters", "adapters_qv")
QUERIES_AND_VALUES = {"q_proj", "v_proj"}  # PEFT's own choice for most decoders


class Living(TorchDispatchMode):
    """Bytes of the storages that were allocated under it and still live."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.peak = 0
        self.seen: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for each in tree_leaves(out):
            if isinstance(each, torch.Tensor) and each.untyped_storage() not in self.seen:
                self.see(each, each.untyped_storage().nbytes())
        return out

    def see(self, tensor: torch.Tensor, size: int = 0) -> None:
        storage = tensor.untyped_storage()
        self.seen.add(storage)
        self.bytes += size
        self.peak = max(self.peak, self.bytes)
        weakref.finalize(storage, self.end, size)

    def end(self, size: int) -> None:
        self.bytes -= size


def cut(config: dict[str, Any], changes: dict[str, Any], layers: int) -> dict[str, Any]:
    """A configuration with fewer layers. tests/flows/extract/test_activations.py cuts alike."""
    text = {**config, **(config.get("text_config") or {}), **changes}
    for name in ("num_hidden_layers", "n_layer", "num_layers"):
        if name in text:
            text[name] = layers
    for name in ("layer_types", "mlp_layer_types", "indexer_types"):
        if isinstance(text.get(name), list):
            text[name] = text[name][:layers]
    if isinstance(text.get("attention_types"), list):
        text["attention_types"] = [[kinds, layers // len(kinds)] for kinds, _ in text["attention_types"]]
    return {
        name: value
        for name, value in text.items()
        if name not in ("text_config", "vision_config", "quantization_config")
    }


def build(config: dict[str, Any], recipe: str) -> tuple[Any, Any]:
    """The class, and the list of its layers."""
    raw = dict(config)
    built = transformers.AutoConfig.for_model(raw.pop("model_type"), **raw).get_text_config()
    dtype = torch.float32 if recipe in IN_FP32 else torch.bfloat16
    # text parts of models that see are no causal models by themselves, and lack a head
    is_whole = type(built) in transformers.MODEL_FOR_CAUSAL_LM_MAPPING
    model = (transformers.AutoModelForCausalLM if is_whole else transformers.AutoModel).from_config(built, dtype=dtype)
    count = built.num_hidden_layers
    layers = next(m for m in model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == count)
    return (with_adapters(model, layers, recipe) if recipe in ADAPTED else model), layers


def with_adapters(model: Any, layers: Any, recipe: str) -> Any:
    import peft
    from peft.tuners.tuners_utils import BaseTunerLayer

    # fake tensors cannot be swapped, and adapters start in fp32, as PEFT casts them
    BaseTunerLayer._move_adapter_to_device_of_base_layer = lambda *args, **named: None
    torch.nn.Module.to = lambda self, *args, **named: self
    linear = (torch.nn.Linear, transformers.pytorch_utils.Conv1D)
    found = [name for name, module in layers.named_modules() if isinstance(module, linear)]
    targets = {name.rsplit(".", 1)[-1] for name in found if not ROUTERS.intersection(name.split("."))}
    targets = QUERIES_AND_VALUES if recipe == "adapters_qv" else targets
    kind = "CAUSAL_LM" if hasattr(model, "lm_head") or hasattr(model, "embed_out") else "FEATURE_EXTRACTION"
    config = peft.LoraConfig(r=RANK, target_modules=sorted(targets), task_type=kind)
    adapted = peft.get_peft_model(model, config, autocast_adapter_dtype=False)
    for module in adapted.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None and parameter.requires_grad:
                module._parameters[name] = torch.nn.Parameter(torch.empty(parameter.shape, dtype=torch.float32))
    return adapted


def kept(config: dict[str, Any], recipe: str, sequences: int, tokens: int) -> int:
    """Bytes that live more after the last layer than after the boundary."""
    with FakeTensorMode():
        model, layers = build(config, recipe)
        living = Living()
        ids = torch.zeros(sequences, tokens, dtype=torch.long)
        for tensor in (*model.parameters(), *model.buffers(), ids):
            living.see(tensor)
        after: list[int] = []
        for layer in layers:
            layer.register_forward_hook(lambda *args: after.append(living.bytes))
        for module in layers.modules():
            # Gemma 4's last layers keep what they could lend to others until the forward pass ends
            if getattr(module, "store_full_length_kv", False) and not config.get("num_kv_shared_layers"):
                module.store_full_length_kv = False
        model.train()
        labels = {"labels": ids} if "labels" in inspect.signature(model.forward).parameters else {}
        with living, torch.autocast("cpu", torch.bfloat16, enabled=recipe not in ("full", "fp32")):
            model(input_ids=ids, use_cache=False, **labels)
        return after[-1] - after[BOUNDARY - 1]


def needed(config: dict[str, Any], sequences: int) -> int:
    """Bytes that a prompt needs at its widest point beside the cache that it leaves."""
    with FakeTensorMode():
        model, _ = build(config, "prefill")
        living = Living()
        ids = torch.zeros(sequences, PROMPT_TOKENS, dtype=torch.long)
        for tensor in (*model.parameters(), *model.buffers(), ids):
            living.see(tensor)
        last = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
        with torch.no_grad(), living:
            out = model.eval()(input_ids=ids, use_cache=True, **last)
        return living.peak - (living.bytes - out[0].untyped_storage().nbytes())


@contextmanager
def counting(out: str) -> Iterator[tuple[dict[str, Any], Callable[[list[Any]], None]]]:
    """Configurations of the embedded snapshot, and what adds a row to `out`: there even if a later case fails."""
    lines = (ROOT / "catalogs" / "hub_snapshot.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    file = Path(out)
    is_new = not file.exists()
    with file.open("a", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")

        def write(row: list[Any]) -> None:
            writer.writerow(row)
            stream.flush()

        if is_new:
            write(list(FIELDS))
        yield {row["model_id"]: row.get("config") for row in rows}, write


def main(out: str, *numbers: str) -> None:
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    # reading packed sequences off the positions needs their values
    transformers.masking_utils.find_packed_sequence_indices = lambda *args, **named: None
    cuda_like.use()
    with counting(out) as (snapshot, write):
        cases = [(TOKENS, each) for each in CASES] + [(LONG, each) for each in LONGER]
        for length, (model_id, changes, recipes) in [cases[int(each)] for each in numbers] if numbers else cases:
            # the sixth is the first without a window
            layers = 6 if "gemma-3" in model_id or "gemma-4" in model_id.lower() else LAYERS
            config = cut(snapshot[model_id], changes, layers)
            for recipe in recipes:
                tokens, rank = length, RANK if recipe in ADAPTED else ""
                if recipe == "prefill":
                    tokens = PROMPT_TOKENS
                    each = round((needed(config, 2) - needed(config, 1)) / tokens)
                else:
                    one, two = (kept(config, recipe, sequences, tokens) for sequences in (1, 2))
                    each, rest = divmod(two - one, tokens)
                    assert not rest, f"{model_id}: {two - one} bytes are not whole bytes a token"
                told = json.dumps(changes) if changes else ""
                write([model_id, told, layers, recipe, rank, tokens, each, SOURCE])
                print(model_id, changes, recipe, each, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
