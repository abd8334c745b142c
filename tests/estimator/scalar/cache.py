"""Bytes of cache and recurrent state (method, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from scalar import split
from scalar.known import Facts, Unknown, up

WITHOUT_CACHE = ("encoder", "diffusion")
LLAMACPP_BLOCK, LLAMACPP_BATCH = 256, 512
BLOCKS = {"llamacpp": LLAMACPP_BLOCK, "trtllm": 32, "mlx": 256}
MLX_CHUNK = 2048
READERS_OF_TOKENS = ("vllm", "trtllm", "mlx")  # others read all cells
PAGE = 16  # tokens of vLLM's, and by which one sequence's cache may be larger
LATENT_PAGE = 64
KINDS_OF_LAYERS = ("kv_full", "kv_window", "state")


def context(asked: int, shape: Facts) -> int:
    limit = shape.get("max_context_tokens")
    return asked if limit is None else min(asked, limit)


def filled(tokens: int, block: int) -> int:
    return -(-tokens // block) * block


def with_blocks(shape: Facts, predicted: int) -> Facts:
    """Of a model whose blocks predict: each has full attention as well, like the average layer that has."""
    if not predicted:
        return shape
    layers, blocks = shape.get("kv_full_layers"), shape.get("mtp_layers")
    count = None if layers is None or blocks is None else layers + blocks
    grown: dict[str, float | None] = {"kv_full_layers": count}
    for name in ("kv_full_elements_per_token", "kv_latent_elements_per_token", "kv_fixed_bytes_per_token"):
        is_known = count is not None and layers and shape.get(name) is not None
        grown[name] = shape[name] * count / layers if is_known else None
    return Facts({**shape, **grown})


@dataclass(frozen=True)
class Sequence:
    """What one sequence keeps on one device, in bytes; each question is answered or Unknown by itself."""

    shape: Facts
    engine: str
    element_bytes: float
    over: split.Split
    keeps_windows_whole: bool = False
    context_parallel: int = 1
    caches_prefixes: bool = False
    predicted: int = 0  # tokens that are checked beside the last one

    def _is_whole(self) -> bool:
        return self.keeps_windows_whole or self.engine == "trtllm"

    def _room(self, bytes_: float) -> float:
        """TensorRT-LLM's pool is nine tenths of what is left."""
        return bytes_ / 0.9 if self.engine == "trtllm" else bytes_

    def _shared_by(self, copies: int) -> int:
        """Devices that would keep copies and share the tokens instead."""
        return max(1, min(self.context_parallel, copies))

    def _keeps_nothing(self) -> bool:
        return self.shape.get("kind") in WITHOUT_CACHE

    def _staged(self, name: str, layers: str) -> float:
        return split.of_layers(self.shape[name], self.shape.get(layers), self.over)

    def _heads(self, name: str, layers: str) -> float:
        return split.of_heads(self._staged(name, layers), self.shape, self.over)

    def _latent_ratio(self) -> float:
        """FP8 beside an indexer has scales, and its rotary part in 16 bits."""
        is_scaled = self.engine == "vllm" and self.element_bytes == 1 and self.shape.get("kv_fixed_bytes_per_token")
        return 656 / 576 if is_scaled else 1.0

    def _layers(self, kind: str) -> int:
        return int(self.shape.get(f"{kind}_layers") or 0)

    def _filled(self, kind: str) -> float:
        """vLLM's pages are of groups of layers, all of one size and of one kind, the last of a kind filled up."""
        counts = [self.shape.get(f"{name}_layers") for name in KINDS_OF_LAYERS]
        mine = self.shape.get(f"{kind}_layers")
        if self.engine != "vllm" or None in counts or not mine:
            return 1.0
        present = [count for count in counts if count]
        size = max(present) if max(present) < 1.5 * min(present) else min(present)
        return -(-mine // size) * size / mine

    def _layer_token(self) -> float | None:
        """Bytes that a token takes in one layer with full attention, or with a window where there are no others."""
        full, near = self._layers("kv_full"), self._layers("kv_window")
        if full:
            elements = split.of_heads(self.shape["kv_full_elements_per_token"], self.shape, self.over)
            elements += self.shape["kv_latent_elements_per_token"] * self._latent_ratio()
            return (elements * self.element_bytes + self.shape["kv_fixed_bytes_per_token"]) / full
        if near:
            elements = split.of_heads(self.shape["kv_window_elements_per_token"], self.shape, self.over)
            return elements * self.element_bytes / near
        return None

    def _layer_state(self) -> float | None:
        layers = self._layers("state")
        if not layers:
            return None
        return self._state_bytes(
            self.shape["state_conv_elements"] / layers, self.shape["state_recurrent_elements"] / layers
        )

    def _page(self) -> tuple[int, float | None]:
        """Tokens of a page, and where states lie beside keys and values its bytes, that are those of a state too."""
        if self.engine != "vllm":
            return BLOCKS.get(self.engine, 1), None
        is_latent = not self._keeps_nothing() and (self.shape.get("kv_latent_elements_per_token") or 0) > 0
        block = LATENT_PAGE if is_latent else PAGE
        if self._keeps_nothing() or not self._layers("state"):
            return block, None
        try:
            state, token = self._layer_state(), self._layer_token()
        except Unknown:
            return block, None
        if not state or not token:
            return block, None
        block *= ceil(state / (block * token))
        return block, block * token

    def block(self) -> int:
        return self._page()[0]

    def _encoder_tokens(self) -> int:
        return int(self.shape["cross_tokens"]) if self.shape["kv_cross_elements_per_token"] else 0

    def each_token(self, is_paged: bool = True) -> float:
        """Of the context, beside layers with a window."""
        return self._room(self._each_token(is_paged=True)) if is_paged else self._each_token(is_paged=False)

    def _each_token(self, is_paged: bool) -> float:
        if self._keeps_nothing():
            return 0.0
        elements = self._heads("kv_full_elements_per_token", "kv_full_layers")
        if elements and self.context_parallel > 1:
            elements /= self._shared_by(self.over.tensor // self.shape["kv_heads"])
        latents = self._staged("kv_latent_elements_per_token", "kv_full_layers") * self._latent_ratio()
        elements += latents / self._shared_by(self.over.tensor)
        if is_paged and not self._is_whole():
            elements *= self._filled("kv_full")
        elif is_paged:
            elements += self._heads("kv_window_elements_per_token", "kv_window_layers")
        if self._encoder_tokens() == -1:
            elements += self._heads("kv_cross_elements_per_token", "layers")
        return self.element_bytes * elements + self._staged("kv_fixed_bytes_per_token", "kv_full_layers")

    def each_window_token(self, is_paged: bool = True) -> float:
        if self._keeps_nothing() or (is_paged and self._is_whole()):
            return 0.0
        elements = self._heads("kv_window_elements_per_token", "kv_window_layers")
        if not is_paged:
            return self.element_bytes * elements
        return self._room(self.element_bytes * elements * self._filled("kv_window"))

    def window(self) -> int:
        """Tokens that a layer with a window keeps."""
        if self._keeps_nothing() or self._is_whole():
            return 0
        tokens = int(self.shape["window_tokens"])
        if self.engine == "llamacpp" and tokens:
            return filled(tokens + LLAMACPP_BATCH, LLAMACPP_BLOCK)
        if self.engine == "mlx" and tokens:  # a chunk that is longer than the window stays until its step ends
            return tokens - 1 + MLX_CHUNK
        # a window of all tokens but the one itself may begin in the middle of a page
        return filled(tokens - 1, self.block()) + self.block() if self.engine == "vllm" and tokens else tokens

    def constant(self) -> float:
        """Of an encoder of fixed length."""
        return self._room(self._constant())

    def _constant(self) -> float:
        if self._keeps_nothing() or self._encoder_tokens() == -1:
            return 0.0
        return self.element_bytes * self._heads("kv_cross_elements_per_token", "layers") * self._encoder_tokens()

    def cache(self, tokens: int) -> float:
        """Of a sequence of so many tokens; without layers that have a window its length need not be known."""
        near = self.each_window_token()
        within = near * min(tokens, self.window()) if near else 0.0
        return self.each_token() * tokens + within + self.constant()

    def in_flight(self, tokens: int, batch: int, sequences: int) -> int:
        """Of all sequences: a batch of prompts that vLLM keeps whole in layers with a window until its step ends."""
        near = self.each_window_token()
        if self.engine != "vllm" or not near:
            return 0
        beyond = max(0, tokens - self.window())
        return up(near * min(batch, sequences * beyond))

    def _read(self, tokens: int) -> float:
        """Of the cache in a step: what is in pages, all cells of other engines."""
        if self.engine not in READERS_OF_TOKENS:
            return self.cache(filled(tokens, self.block()))
        near = self.each_window_token(is_paged=False)
        within = near * min(tokens, self.shape["window_tokens"]) if near else 0.0
        return self.each_token(is_paged=False) * tokens + within + self._constant()

    def step(self, tokens: int) -> float:
        """Bytes that a step reads, and writes of states."""
        return self._read(tokens) + (2 + self.predicted) * self._states()

    def state(self) -> float:
        """In vLLM each layer's fills a page of the attention beside it, and with prefix caching a second one."""
        page, copies = self._page()[1], 2 if self.engine == "vllm" and self.caches_prefixes else 1
        copies += self.predicted
        if page is None:
            return copies * self._room(self._states())
        return copies * page * -(-self._layers("state") // self.over.stages) * self._filled("state")

    def _states(self) -> float:
        if self._keeps_nothing():
            return 0.0
        return self._state_bytes(
            self._staged("state_conv_elements", "state_layers"),
            self._staged("state_recurrent_elements", "state_layers"),
        )

    def _state_bytes(self, convolution: float, recurrent: float) -> float:
        """Fp32 in llama.cpp; elsewhere convolutions are in 16 bits and the rest as the model says."""
        if self.engine == "llamacpp":
            return split.by_heads(4 * (convolution + recurrent), self.over)
        each = 0.0
        if recurrent:
            in_vllm = self.engine in ("vllm",)
            each = self.shape["state_recurrent_bytes_in_vllm" if in_vllm else "state_recurrent_bytes_per_element"]
        return split.by_heads(2 * convolution + each * recurrent, self.over)


def concurrent(bytes_: float, sequences: int) -> int:
    return up(bytes_ * sequences)
