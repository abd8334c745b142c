"""Running sums over the layers of a decoder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from flows.extract import activations
from flows.extract.architecture import Group
from flows.extract.attention import Attention
from flows.extract.linears import Linear
from flows.extract.mixers import Mixer

CONV_BYTES = 2
UNKNOWN_GROUP = ("unknown", None, None, None, None, None, None)


@dataclass
class Body:
    """Sums of parameters, cache and state. `unknown_*` say why one of them cannot be told."""

    linears: Counter[Linear] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)  # small tensors by column of SHAPES
    cache: Counter[str] = field(default_factory=Counter)
    work: Counter[str] = field(default_factory=Counter)  # widths of attention; layers that choose what they attend to
    latent: float = 0.0  # elements a token; fractions where the cache is compressed
    groups: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    saved: activations.Parts = field(default_factory=dict)  # columns of SHAPES, null where a layer does not tell
    unknown_cache: str | None = None
    unknown_parameters: str | None = None
    prediction_block: int = 0  # a multi-token-prediction block: a decoder layer, a 2h x h projection, three norms
    mtp: int = 0  # parameters of the blocks that the configuration announces
    mtp_layers: int | None = 0  # those blocks; null where it announces some that the dialect does not count
    mtp_expert: int = 0  # part of `mtp`, routed experts

    @property
    def parameters(self) -> int:
        return sum(linear.parameters * times for linear, times in self.linears.items()) + sum(self.counts.values())

    def add(self, part: Linear | tuple[str, int]) -> None:
        """A matrix, or (column, elements) of small tensors."""
        if isinstance(part, Linear):
            self.linears[part] += 1
        else:
            self.counts[part[0]] += part[1]

    def merge(self, other: Body, times: int) -> None:
        """Add the sums of a part that is there `times` times."""
        for mine, its in (
            (self.linears, other.linears),
            (self.counts, other.counts),
            (self.cache, other.cache),
            (self.work, other.work),
            (self.groups, other.groups),
        ):
            for key, count in its.items():
                mine[key] += count * times  # type: ignore[index]
        self.latent += other.latent * times
        self.saved = activations.added(self.saved, other.saved, times)
        self.unknown_parameters = self.unknown_parameters or other.unknown_parameters
        self.unknown_cache = self.unknown_cache or other.unknown_cache

    def add_attention(self, one: Attention, kind: str, span: int | None, *, owns_cache: bool) -> None:
        """`span` is the window of a sliding layer; a layer without a cache of its own adds only parameters."""
        self.linears.update(one.linears)
        self.counts["p_norm"] += one.norm
        self.counts["p_bias"] += one.bias
        self.counts["p_small"] += one.small
        self._add_work(one, kind)
        if not owns_cache:
            self.groups[("none", one.kv_heads, one.key_dim, one.value_dim, None, 0.0, 0)] += 1
            self.cache["fixed_bytes"] += one.fixed_bytes  # keys of an indexer of its own
            return
        if one.window_elements:
            elements = float(one.window_elements)
            self.groups[("sliding", one.kv_heads, one.key_dim, one.value_dim, span, elements, 0)] += 1
            self.cache["window"] += one.window_elements
        if not one.elements:
            return
        alike = {"hybrid": "full", "selective": "full", "hybrid_sliding": "sliding"}
        name = "latent" if one.is_latent else alike.get(kind, kind)
        if name == "cross":
            self.cache["cross"] += int(one.elements)
            self.groups[("cross", one.kv_heads, one.key_dim, one.value_dim, None, float(one.elements), 0)] += 1
            return
        grown = None if name in ("full", "latent") else span
        self.groups[(name, one.kv_heads, one.key_dim, one.value_dim, grown, float(one.elements), 0)] += 1
        if name == "latent":
            self.latent += one.elements
        else:
            self.cache["full" if name == "full" else "window"] += int(one.elements)
        self.cache["fixed_bytes"] += one.fixed_bytes

    def _add_work(self, one: Attention, kind: str) -> None:
        """What attention multiplies. Cross attention is left out: what it listens to is as long whatever is said."""
        if kind == "cross":
            return
        is_windowed = kind in ("sliding", "hybrid_sliding", "chunked")
        self.work["window" if is_windowed else "step"] += one.width
        self.work["prompt"] += 0 if is_windowed else one.prompt_width or one.width
        self.work["selective"] += one.is_selective
        self.work["absorbed"] += one.absorbed

    def add_mixer(self, one: Mixer, state_bytes: float) -> None:
        self.linears.update(one.linears)
        self.counts["p_small"] += one.small
        self.counts["p_norm"] += one.norm
        self.counts["p_bias"] += one.bias
        self.cache["conv"] += one.conv_elements
        self.cache["recurrent"] += one.recurrent_elements
        state = one.conv_elements * CONV_BYTES + int(one.recurrent_elements * state_bytes)
        self.groups[("recurrent", None, None, None, None, 0.0, state)] += 1

    def add_unknown(self, why: str) -> None:
        self.unknown_parameters = self.unknown_cache = why
        self.groups[UNKNOWN_GROUP] += 1

    def forget_cache(self, why: str) -> None:
        """Parameters stay known; what the layers keep is not."""
        self.unknown_cache = why
        self.groups = Counter({UNKNOWN_GROUP: self.groups.total()})

    def attention_groups(self) -> tuple[Group, ...]:
        """Like layers together, in the order in which they first appear; sums over the layers of a group."""
        return tuple(
            Group(
                kind=kind,
                layers=count,
                kv_heads=kv_heads,
                key_dim=key_dim,
                value_dim=value_dim,
                window_tokens=span,
                elements_per_token=None if elements is None else elements * count,
                state_bytes=None if state is None else state * count,
            )
            for (kind, kv_heads, key_dim, value_dim, span, elements, state), count in self.groups.items()
        )
