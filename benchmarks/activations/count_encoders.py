"""Bytes of a token that a prompt needs at once in an encoder: rows `encode` of tests/golden/activations.csv.

    pip install torch==2.13.0 'transformers==5.24.*'
    python benchmarks/activations/count_encoders.py tests/golden/activations.csv [NUMBER …]

As count.py, for classes that read a prompt and answer at once: inputs with a mask for what is padded, as prompts of
several lengths have them, the class that `architectures` ends with, and the peak of all of it, logits of every token
where it makes them. One prompt more in a batch: what all of them share is left out.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import cuda_like
import torch
import transformers
from count import LAYERS, SOURCE, Living, counting
from encoder_cases import CASES, PROMPTS
from torch._subclasses.fake_tensor import FakeTensorMode

CLASSES = {
    "ForMaskedLM": transformers.AutoModelForMaskedLM,
    "ForSequenceClassification": transformers.AutoModelForSequenceClassification,
    "Model": transformers.AutoModel,
    "QuestionEncoder": transformers.AutoModel,
}
BATCH = 8  # prompts whose widest point is that of their layers


def cut(config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A configuration with fewer layers. tests/flows/extract/test_encoder_activations.py cuts alike."""
    found = {**config, **changes}
    for name in ("num_hidden_layers", "n_layers"):
        if name in found:
            found[name] = LAYERS
    if isinstance(found.get("layer_types"), list):
        found["layer_types"] = found["layer_types"][:LAYERS]
    return found


def build(config: dict[str, Any]) -> Any:
    raw = dict(config)
    name = raw.pop("architectures")[0]
    built = transformers.AutoConfig.for_model(raw.pop("model_type"), **raw)
    model = next(each for ending, each in CLASSES.items() if name.endswith(ending)).from_config(
        built, dtype=torch.bfloat16
    )
    for module in model.modules():
        # what a constructor makes in fp32 is cast when weights are loaded
        for name, parameter in list(module._parameters.items()):
            if parameter is not None and parameter.dtype != torch.bfloat16:
                module._parameters[name] = torch.nn.Parameter(torch.empty(parameter.shape, dtype=torch.bfloat16))
    return model.eval()


def needed(config: dict[str, Any], sequences: int, tokens: int) -> int:
    """Bytes at the widest point of prompts beside weights and inputs."""
    with FakeTensorMode():
        model = build(config)
        living = Living()
        inputs = {name: torch.ones(sequences, tokens, dtype=torch.long) for name in ("input_ids", "attention_mask")}
        for tensor in (*model.parameters(), *model.buffers(), *inputs.values()):
            living.see(tensor)
        with torch.no_grad(), living:
            model(**inputs)
        return living.peak


def main(out: str, *numbers: str) -> None:
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    transformers.PreTrainedModel.initialize_weights = lambda self: None
    # whether anything is padded, and how far positions reach, are values
    transformers.masking_utils._ignore_bidirectional_mask_sdpa = lambda *args, **named: False
    transformers.models.deberta.modeling_deberta.compute_attention_span = lambda query, key, most: min(
        max(query.size(-2), key.size(-2)), most
    )
    cuda_like.use()
    with counting(out) as (snapshot, write):
        for model_id, changes in [CASES[int(each)] for each in numbers] if numbers else CASES:
            for tokens in PROMPTS:
                config = cut(snapshot[model_id], changes)
                each = round((needed(config, BATCH + 1, tokens) - needed(config, BATCH, tokens)) / tokens)
                write([model_id, json.dumps(changes), LAYERS, "encode", "", tokens, each, SOURCE])
                print(model_id, changes, tokens, each, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
