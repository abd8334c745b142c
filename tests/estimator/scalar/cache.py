"""Bytes of cache and recurrent state (method, section 4)."""

from __future__ import annotations

from dataclasses import dataclass

from scalar import split
from scalar.known import Facts, up

WITHOUT_CACHE = ("encoder", "diffusion")
LLAMACPP_BLOCK, LLAMACPP_BATCH = 256, 512
BLOCKS = {"llamacpp": LLAMACPP_BLOCK, "vllm": 16}
PAGE = 16  # tokens by which one sequence's cache may be larger


def context(asked: int, shape: Facts) -> int:
    limit = shape.get("max_context_tokens")
    return asked if limit is None else min(asked, limit)


def kept_tokens(tokens: int, engine: str) -> int:
    block = BLOCKS.get(engine, 1)
    return -(-tokens // block) * block


@dataclass(frozen=True)
class Sequence:
    """What one sequence keeps on one device, in bytes; each question is answered or Unknown by itself."""

    shape: Facts
    engine: str
    element_bytes: float
    over: split.Split

    def _keeps_nothing(self) -> bool:
        return self.shape.get("kind") in WITHOUT_CACHE

    def _staged(self, name: str, layers: str) -> float:
        return split.of_layers(self.shape[name], self.shape.get(layers), self.over)

    def _heads(self, name: str, layers: str) -> float:
        return split.of_heads(self._staged(name, layers), self.shape, self.over)

    def _filled(self, kind: str, other: str) -> float:
        """vLLM's pages are of groups of layers, all of one size and of one kind, the last of a kind filled up."""
        mine, theirs = self.shape.get(f"kv_{kind}_layers"), self.shape.get(f"kv_{other}_layers")
        if self.engine != "vllm" or not mine or not theirs:
            return 1.0
        size = max(mine, theirs) if max(mine, theirs) < 1.5 * min(mine, theirs) else min(mine, theirs)
        return -(-mine // size) * size / mine

    def _encoder_tokens(self) -> int:
        return int(self.shape["cross_tokens"]) if self.shape["kv_cross_elements_per_token"] else 0

    def each_token(self) -> float:
        """Of the context, beside layers with a window."""
        if self._keeps_nothing():
            return 0.0
        elements = self._heads("kv_full_elements_per_token", "kv_full_layers")
        elements += self._staged("kv_latent_elements_per_token", "kv_full_layers")
        elements *= self._filled("full", "window")
        if self._encoder_tokens() == -1:
            elements += self._heads("kv_cross_elements_per_token", "layers")
        return self.element_bytes * elements + self._staged("kv_fixed_bytes_per_token", "kv_full_layers")

    def each_window_token(self) -> float:
        if self._keeps_nothing():
            return 0.0
        elements = self._heads("kv_window_elements_per_token", "kv_window_layers")
        return self.element_bytes * elements * self._filled("window", "full")

    def window(self) -> int:
        """Tokens that a layer with a window keeps."""
        if self._keeps_nothing():
            return 0
        tokens = int(self.shape["window_tokens"])
        if self.engine == "llamacpp" and tokens:
            return kept_tokens(tokens + LLAMACPP_BATCH, self.engine)
        # a window of all tokens but the one itself may begin in the middle of a page
        return kept_tokens(tokens - 1, self.engine) + BLOCKS["vllm"] if self.engine == "vllm" and tokens else tokens

    def constant(self) -> float:
        """Of an encoder of fixed length."""
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

    def state(self) -> float:
        """Fp32 in llama.cpp; elsewhere convolutions are in 16 bits and the rest as the model says."""
        if self._keeps_nothing():
            return 0.0
        convolution = self._staged("state_conv_elements", "state_layers")
        recurrent = self._staged("state_recurrent_elements", "state_layers")
        if self.engine == "llamacpp":
            return split.by_heads(4 * (convolution + recurrent), self.over)
        each = 0.0
        if recurrent:
            in_vllm = self.engine in ("vllm",)
            each = self.shape["state_recurrent_bytes_in_vllm" if in_vllm else "state_recurrent_bytes_per_element"]
        return split.by_heads(2 * convolution + each * recurrent, self.over)


def concurrent(bytes_: float, sequences: int) -> int:
    return up(bytes_ * sequences)
