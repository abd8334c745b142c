"""What a model really takes on a GPU: device context, weights, cache, peaks of prefill and of training steps.

    python benchmarks/gpu/memory.py CASES.json OUT.jsonl

Runs where torch, transformers and peft see a CUDA device; nothing of hubfit is imported, so that one file and
its cases can be taken to such a machine. `benchmarks/gpu/cases.py` writes the cases and turns the answers
into rows of catalogs/measurements.csv. Weights are random: memory does not depend on their values.
Protocol: each case is a process of its own (forked before CUDA starts), measured by the allocator's peaks and
by the driver's own count before, after context, after load and at the end.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pynvml
import torch
import transformers

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def used_bytes() -> int:
    return int(pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(0)).used)


def context() -> dict[str, int]:
    """Bytes that the driver counts for a process: the context, and what the first matrix product adds."""
    pynvml.nvmlInit()
    idle = used_bytes()
    torch.cuda.init()
    torch.zeros(1, device="cuda")
    torch.cuda.synchronize()
    context_used = used_bytes() - idle - torch.cuda.memory_reserved()
    a = torch.ones(256, 256, device="cuda", dtype=torch.bfloat16)
    (a @ a).sum().item()
    free, total = torch.cuda.mem_get_info()
    return {
        "idle_bytes": idle,
        "context_bytes": context_used,
        "context_with_blas_bytes": used_bytes() - idle - torch.cuda.memory_reserved(),
        "blas_workspace_bytes": torch.cuda.memory_allocated(),
        "visible_bytes": total,
        "free_bytes": free,
    }


def device(case: dict[str, Any]) -> dict[str, Any]:
    """The device itself: names, sizes, and the rates that a copy and a matrix product reach."""
    answer: dict[str, Any] = context()
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    answer |= {
        "name": torch.cuda.get_device_name(),
        "driver": pynvml.nvmlSystemGetDriverVersion(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "driver_total_bytes": int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
        "reserved_v2_bytes": int(pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2).reserved),
    }
    return answer | {"copy_bytes_per_s": copy_bytes_per_s(), "bf16_flop_per_s": product_flop_per_s()}


def copy_bytes_per_s() -> float:
    """Bytes read and bytes written."""
    source = torch.randint(0, 100, (1 << 32,), device="cuda", dtype=torch.int8)
    target = torch.empty_like(source)
    return 2 * source.nbytes / median_seconds(lambda: target.copy_(source))


def product_flop_per_s(size: int = 8192) -> float:
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * size**3 / median_seconds(lambda: a @ b)


def median_seconds(work: Any, repeats: int = 20) -> float:
    times = []
    for index in range(repeats + 3):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        work()
        end.record()
        end.synchronize()
        if index >= 3:
            times.append(start.elapsed_time(end) / 1000)
    return sorted(times)[len(times) // 2]


def build(case: dict[str, Any], dtype: torch.dtype) -> Any:
    raw = dict(case["config"])
    raw.pop("quantization_config", None)
    config = transformers.AutoConfig.for_model(raw.pop("model_type"), **raw)
    if case.get("text_only"):
        config = config.get_text_config()
    config.dtype = dtype
    with torch.device("cuda"):
        return transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)


def tensors_of(thing: Any, seen: set[int]) -> Iterator[torch.Tensor]:
    """The distinct tensors that an object holds, through attributes, lists and dicts."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, torch.Tensor):
        yield thing
    elif isinstance(thing, dict):
        for each in list(thing.values()):
            yield from tensors_of(each, seen)
    elif isinstance(thing, (list, tuple)):
        for each in thing:
            yield from tensors_of(each, seen)
    elif hasattr(thing, "__dict__") and not isinstance(thing, (type, transformers.PreTrainedConfig)):
        yield from tensors_of(vars(thing), seen)


def held_bytes(thing: Any) -> tuple[int, int]:
    """Bytes of the tensors that an object holds, and of the storages that these keep: a slice keeps its whole."""
    tensors = list(tensors_of(thing, set()))
    storages = {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in tensors}
    return sum(each.nbytes for each in tensors), sum(storages.values())


def inference(case: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = context()
    before = torch.cuda.memory_allocated()
    model = build(case, DTYPES[case["dtype"]]).eval()
    torch.cuda.empty_cache()
    parameters = {id(each): each for each in model.parameters()}.values()
    answer |= {
        "class": type(model).__name__,
        "attention": model.config.get_text_config()._attn_implementation,
        "parameters": sum(each.numel() for each in parameters),
        "parameter_bytes": sum(each.nbytes for each in parameters),
        "buffer_bytes": sum(each.nbytes for each in model.buffers()),
        "loaded_bytes": torch.cuda.memory_allocated() - before,
        "prefills": [],
    }
    for batch, tokens in case["prefills"]:
        answer["prefills"].append({"batch": batch, "tokens": tokens} | prefill(model, batch, tokens))
    answer["used_at_end_bytes"] = used_bytes()
    return answer


@torch.inference_mode()
def prefill(model: Any, batch: int, tokens: int) -> dict[str, Any]:
    """One prompt through the model as generate() does it: a cache is kept, logits of the last position alone."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    ids = torch.randint(0, model.config.get_text_config().vocab_size, (batch, tokens), device="cuda")
    try:
        last = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
        out = model(input_ids=ids, use_cache=True, **last)
        torch.cuda.synchronize()
    except torch.OutOfMemoryError as error:
        return {"error": str(error)[:300]}
    cache = getattr(out, "past_key_values", None)
    cache = getattr(out, "cache_params", None) if cache is None else cache
    answer = {
        "peak_bytes": torch.cuda.max_memory_allocated() - before,
        "reserved_bytes": torch.cuda.max_memory_reserved(),
        "cache_bytes": held_bytes(cache)[0],
        "cache_storage_bytes": held_bytes(cache)[1],
        "logits_bytes": out.logits.nbytes,
        "kept_bytes": torch.cuda.memory_allocated() - before,
    }
    del out, cache
    return answer


def training(case: dict[str, Any]) -> dict[str, Any]:
    """Three steps of AdamW.

    `full` is fp32 under bf16 autocast, `full_bf16` everything in bf16, `lora` fp32 adapters on bf16 weights.
    """
    answer: dict[str, Any] = context()
    method, (batch, tokens) = case["method"], case["step"]
    model = build(case, torch.float32 if method == "full" else torch.bfloat16)
    if method == "lora":
        import peft

        model = peft.get_peft_model(
            model, peft.LoraConfig(r=case["rank"], target_modules=case["targets"], task_type="CAUSAL_LM")
        )
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
    model.train()
    if case["checkpointing"]:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        if method == "lora":
            model.enable_input_require_grads()
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5)
    torch.cuda.empty_cache()
    answer |= {"loaded_bytes": torch.cuda.memory_allocated(), "trained": sum(each.numel() for each in trained)}
    ids = torch.randint(0, model.config.get_text_config().vocab_size, (batch, tokens), device="cuda")
    for step in range(3):
        if step:  # the first step makes the optimizer's states
            torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        with torch.autocast("cuda", torch.bfloat16, enabled=method != "full_bf16"):
            loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        del loss
        answer[f"peak_backward_{step}_bytes"] = torch.cuda.max_memory_allocated()
        optimizer.step()
        answer[f"peak_step_{step}_bytes"] = torch.cuda.max_memory_allocated()
        optimizer.zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        answer[f"reserved_{step}_bytes"] = torch.cuda.max_memory_reserved()
        answer[f"kept_{step}_bytes"] = torch.cuda.memory_allocated()
    answer["used_at_end_bytes"] = used_bytes()
    return answer


@torch.inference_mode()
def decode(case: dict[str, Any]) -> dict[str, Any]:
    """Seconds of one decoding step, replayed as a CUDA graph over a static cache."""
    answer: dict[str, Any] = context()
    model = build(case, DTYPES[case["dtype"]]).eval()
    answer["steps"] = []
    for batch, tokens in case["steps"]:
        cache = transformers.StaticCache(config=model.config, max_cache_len=tokens)
        ids = torch.randint(0, 1000, (batch, 1), device="cuda")
        position = torch.tensor([tokens - 1], device="cuda")

        def step(ids: Any = ids, cache: Any = cache, position: Any = position) -> Any:
            return model(
                input_ids=ids, past_key_values=cache, position_ids=position[None], cache_position=position
            ).logits

        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                step()
        stream.synchronize()
        row: dict[str, Any] = {"batch": batch, "tokens": tokens, "cache_bytes": held_bytes(cache)[0]}
        try:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                step()
            row["seconds"] = median_seconds(graph.replay)
        except Exception as error:  # a step that asks the host cannot be captured: then there is no figure
            row["error"] = f"{type(error).__name__}: {error}"[:300]
        answer["steps"].append(row)
    return answer


def main() -> None:
    cases, out = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    deadline = time.monotonic() + float(sys.argv[3]) if len(sys.argv) > 3 else float("inf")
    import peft  # noqa: F401  # imported once, before the processes of the cases part

    for case in cases:
        if case["kind"] != "device":
            model_type = case["config"]["model_type"]
            transformers.models.auto.modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING[
                type(transformers.AutoConfig.for_model(model_type))
            ]
        if time.monotonic() > deadline:
            print("out of time before", case["name"], flush=True)
            break
        started = time.monotonic()
        if os.fork() == 0:
            try:
                answer = globals()[case["kind"]](case)
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"[:500], "trace": traceback.format_exc()[-1500:]}
            told = {key: value for key, value in case.items() if key != "config"}
            with out.open("a") as lines:
                lines.write(json.dumps(told | answer) + "\n")
            os._exit(0)
        _, status = os.wait()
        print(f"{case['name']}: {time.monotonic() - started:.1f} s, status {status}", flush=True)


if __name__ == "__main__":
    main()
