"""Bytes of cache and recurrent state (method, section 4)."""

from __future__ import annotations

from dataclasses import dataclass

from scalar import split
from scalar.known import Facts, up

WITHOUT_CACHE = ("encoder", "diffusion")
LLAMACPP_BLOCK, LLAMACPP_BATCH = 256, 512
PAGE = 16  # tokens by which one sequence's cache may be larger


def context(asked: int, shape: Facts) -> int:
    limit = shape.get("max_context_tokens")
    return asked if limit is None else min(asked, limit)


def blocks(tokens: int) -> int:
    return -(-tokens // LLAMACPP_BLOCK) * LLAMACPP_BLOCK


def kept_tokens(tokens: int, engine: str) -> int:
    return blocks(tokens) if engine == "llamacpp" else tokens


@dataclass(frozen=True)
class Sequence:
    """What one sequence keeps on one device, in bytes; each question is answered or Unknown by itself."""

    shape: Facts
    engine: str
    element_bytes: float
    degree: int

    def _keeps_nothing(self) -> bool:
        return self.shape.get("kind") in WITHOUT_CACHE

    def _heads(self, elements: float) -> float:
        if split.is_by_layers(self.engine):
            return elements * split.layers_kept(self.shape, self.degree)
        return split.of_heads(elements, self.shape, self.degree)

    def _whole(self, amount: float) -> float:
        return amount * (split.layers_kept(self.shape, self.degree) if split.is_by_layers(self.engine) else 1)

    def _encoder_tokens(self) -> int:
        return int(self.shape["cross_tokens"]) if self.shape["kv_cross_elements_per_token"] else 0

    def each_token(self) -> float:
        """Of the context, beside layers with a window."""
        if self._keeps_nothing():
            return 0.0
        elements = self._heads(self.shape["kv_full_elements_per_token"])
        elements += self._whole(self.shape["kv_latent_elements_per_token"])
        if self._encoder_tokens() == -1:
            elements += self._heads(self.shape["kv_cross_elements_per_token"])
        return self.element_bytes * elements + self._whole(self.shape["kv_fixed_bytes_per_token"])

    def each_window_token(self) -> float:
        if self._keeps_nothing():
            return 0.0
        return self.element_bytes * self._heads(self.shape["kv_window_elements_per_token"])

    def window(self) -> int:
        """Tokens that a layer with a window keeps."""
        if self._keeps_nothing():
            return 0
        tokens = int(self.shape["window_tokens"])
        return blocks(tokens + LLAMACPP_BATCH) if self.engine == "llamacpp" and tokens else tokens

    def constant(self) -> float:
        """Of an encoder of fixed length."""
        if self._keeps_nothing() or self._encoder_tokens() == -1:
            return 0.0
        return self.element_bytes * self._heads(self.shape["kv_cross_elements_per_token"]) * self._encoder_tokens()

    def cache(self, tokens: int) -> float:
        """Of a sequence of so many tokens; without layers that have a window its length need not be known."""
        near = self.each_window_token()
        within = near * min(tokens, self.window()) if near else 0.0
        return self.each_token() * tokens + within + self.constant()

    def state(self) -> float:
        """Fp32 in llama.cpp; elsewhere convolutions are in 16 bits and the rest as the model says."""
        if self._keeps_nothing():
            return 0.0
        convolution, recurrent = self.shape["state_conv_elements"], self.shape["state_recurrent_elements"]
        if self.engine == "llamacpp":
            return self._whole(4 * (convolution + recurrent))
        each = 0.0
        if recurrent:
            in_vllm = self.engine in ("vllm",)
            each = self.shape["state_recurrent_bytes_in_vllm" if in_vllm else "state_recurrent_bytes_per_element"]
        return split.by_heads(2 * convolution + each * recurrent, self.degree)


def concurrent(bytes_: float, sequences: int) -> int:
    return up(bytes_ * sequences)
