"""What a closed form writes down: matrices and components of a model, and the columns of SHAPES that they make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.extract import sharding
from flows.extract.architecture import Group, layers_that_keep
from flows.extract.linears import Linear, sums

COMPONENTS = ("p_embed", "p_pos_embed", "p_lm_head", "p_router", "p_norm", "p_bias", "p_small", "p_head_other")
# What no encoder has; a form that has it says so in `columns`.
ABSENT: Mapping[str, Any] = {
    "p_expert_bias": 0, "kv_full_elements_per_token": 0, "kv_window_elements_per_token": 0,
    "kv_latent_elements_per_token": 0.0, "kv_fixed_bytes_per_token": 0, "kv_cross_elements_per_token": 0,
    "window_tokens": 0, "cross_tokens": 0, "state_conv_elements": 0, "state_recurrent_elements": 0,
    "state_recurrent_bytes_per_element": 4.0, "state_recurrent_bytes_in_vllm": 4.0,
    "expert_ffn_size": 0, "experts": 0, "experts_per_token": 0,
    "expert_layers": 0,
    "rope_cache_elements": 0, "absorbed_elements": 0,
    "attention_step_width": None, "attention_prompt_width": None, "attention_window_width": None,  # not worked out
}  # fmt: skip


@dataclass
class Sheet:
    """Counts in elements. `columns` are those that are no sums: dimensions, cache, masks."""

    linears: list[Linear] = field(default_factory=list)
    components: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COMPONENTS, 0))
    columns: dict[str, Any] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    kind: str = "encoder"

    def matrix(self, component: str, rows: int, columns: int, count: int = 1, role: str = "") -> None:
        """Equal matrices of a linear layer."""
        if rows and columns and count:
            self.linears.append(Linear(component, rows, columns, count, role))

    def add(self, component: str, elements: int) -> None:
        """Elements of one of COMPONENTS."""
        self.components[component] += elements

    def dense(self, component: str, rows: int, columns: int, count: int = 1, *, bias: bool = True) -> None:
        """Equal linear layers with a bias each."""
        self.matrix(component, rows, columns, count)
        if bias:
            self.add("p_bias", rows * count)

    @property
    def parameters(self) -> int:
        return sum(linear.parameters for linear in self.linears) + sum(self.components.values())

    def merge(self, other: Sheet) -> None:
        """Add the parts of another model that stands beside this one; its dimensions and cache are not taken over."""
        self.linears += other.linears
        for name, elements in other.components.items():
            self.add(name, elements)

    def all_columns(self) -> dict[str, Any]:
        """Columns of SHAPES; what the form does not mention the model does not have."""
        kept = layers_that_keep((group.kind, group.layers) for group in self.groups)
        return {**sums(Counter(self.linears)), **self.components, **ABSENT, **kept, **self.columns}


def dimensions(layers: int, hidden: int, heads: int, ffn: int, vocabulary: int, context: int | None) -> dict[str, Any]:
    """Columns that say how large a model is and how it can be split. Tokens and elements."""
    return {
        "layers": layers,
        "hidden_size": hidden,
        "vocab_size": vocabulary,
        "heads": heads,
        "kv_heads": heads,
        "ffn_size": ffn,
        "max_context_tokens": context or None,
        **sharding.masks([heads], [heads], [ffn], [ffn, hidden], vocabulary),
    }


def nothing_kept(layers: int) -> tuple[Group, ...]:
    """Layers of an encoder keep no cache."""
    return (Group(kind="none", layers=layers, elements_per_token=0.0, state_bytes=0),)
