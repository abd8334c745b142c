"""Tensor headers: memory and time of the largest ones, requests of a sharded checkpoint and of a GGUF repository.

    python benchmarks/headers.py

Floors: 32 MB held, 2 requests for 30 shards. Baseline of the same run: reading the same header with json.loads.
"""

from __future__ import annotations

import json
import struct
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "flows" / "support"))

from gguf_bytes import ARRAY, STRING, U32, described, gguf, pair
from local_hub import HubServer
from weight_bytes import safetensors

from flows.extract.info import parse
from flows.headers import gguf as gguf_headers
from flows.headers import safetensors as safetensors_headers
from flows.headers.fold import Folder
from flows.headers.safetensors import Tensor
from flows.hub_files import RemoteFiles
from flows.hub_http import HubHttp
from flows.settings import Settings
from flows.tensor_sets import tensor_sets

MEGABYTE = 2**20
FLOOR_BYTES, FLOOR_REQUESTS = 32 * MEGABYTE, 2
INDEX = "model.safetensors.index.json"


def measured(read: Callable[[], object]) -> tuple[float, int]:
    """(seconds without tracing, peak bytes)."""
    started = time.perf_counter()
    read()
    took = time.perf_counter() - started
    tracemalloc.start()
    read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return took, peak


def fold(tensors: Iterable[Tensor]) -> None:
    folder = Folder()
    folder.add(tensors)
    folder.groups()


def report(what: str, content: bytes, took: float, peak: int, baseline: float | None) -> None:
    ratio = f", {took / baseline:.1f} times as long as json.loads" if baseline else ""
    verdict = "met" if peak <= FLOOR_BYTES else "MISSED"
    print(f"{what}: {len(content) / 1e6:.1f} MB in {took:.2f} s{ratio}")
    print(f"  {peak / MEGABYTE:.1f} MB held (floor 32: {verdict})")


def largest_safetensors() -> None:
    name = "model.layers.{}." + "deep." * 60 + "weight"
    entries = (
        f'"{name.format(number)}":{{"dtype":"BF16","shape":[64,32],"data_offsets":[{at},{at + 4096}]}}'
        for number, at in enumerate(range(0, 60_000 * 4096, 4096))
    )
    text = ("{" + ",".join(entries) + "}").encode()
    content = struct.pack("<Q", len(text)) + text
    started = time.perf_counter()
    json.loads(text)
    baseline = time.perf_counter() - started
    took, peak = measured(
        lambda: fold(
            safetensors_headers.tensors(lambda at, n: content[at : at + n], None, safetensors_headers.Header())
        )
    )
    report("safetensors, 60,000 tensors", content, took, peak, baseline)


def largest_gguf() -> None:
    words = [f"token number {n}" for n in range(256_000)]
    pairs = [pair("general.architecture", STRING, "llama"), pair("tokenizer.ggml.tokens", ARRAY, (STRING, words))]
    pairs += [pair("tokenizer.ggml.merges", ARRAY, (STRING, words))]
    tensors = [described(f"blk.{n}.weight", (64, 2), 0, n * 512) for n in range(800)]
    content = gguf(pairs, tensors, data=800 * 512)
    took, peak = measured(
        lambda: fold(gguf_headers.tensors(lambda at, n: content[at : at + n], None, gguf_headers.GgufHeader()))
    )
    report("GGUF, vocabulary of 256,000", content, took, peak, None)


def requests() -> None:
    server = HubServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = HubHttp(Settings(data=Path("unused")))
    client.endpoint = server.url
    shards = {f"model-{n:05}-of-00030.safetensors": safetensors({f"x.{n}": ("BF16", (8, 4))}) for n in range(1, 31)}
    server.add("a/shards", files={INDEX: {}}, blobs=shards)
    vocabulary = pair("tokenizer.ggml.tokens", ARRAY, (STRING, ["token"] * 100_000))
    kinds = {"F32": (0, 512), "F16": (1, 256), "Q4_0": (2, 96), "Q8_0": (8, 160)}
    files = {
        f"m-{name}.gguf": gguf([vocabulary, pair("general.file_type", U32, kind)],
                               [described(f"blk.{n}", (64, 2), kind, n * room) for n in range(9)], data=9 * room)
        for name, (kind, room) in kinds.items()
    }  # fmt: skip
    server.add("a/gguf", blobs=files)
    for model_id, least in (("a/shards", 1), ("a/gguf", len(files))):
        server.seen.clear()
        info = parse(json.dumps(server.models[model_id]["info"]))
        assert info is not None
        found = tensor_sets(RemoteFiles(client, model_id, "a" * 40), info, {"model_type": "llama"})
        assert all(one.groups for one in found), found
        asked = len(server.seen)
        floor = f" (floor {FLOOR_REQUESTS}: {'met' if asked <= FLOOR_REQUESTS else 'MISSED'})" if least == 1 else ""
        print(
            f"{model_id}: {asked} requests for {len(server.models[model_id]['blobs'])} files, at least {least}{floor}"
        )
    client.close()
    server.shutdown()


if __name__ == "__main__":
    largest_safetensors()
    largest_gguf()
    requests()
