"""What nvidia-smi prints, as published for many machines."""

from __future__ import annotations

import pytest

from flows.local_devices import nvidia

ONE = "NVIDIA GeForce RTX 4090, 24564, 8.9, 550.54.14, GPU-11111111-2222-3333-4444-555555555555\n"
LIST = "GPU 0: NVIDIA GeForce RTX 4090 (UUID: GPU-11111111-2222-3333-4444-555555555555)\n"
# a board in MIG mode beside one that is not, and a compute instance that has a part of its instance
MIG_TABLE = "NVIDIA H100 80GB HBM3, 81559, 9.0, 570.1, GPU-a\nNVIDIA H100 80GB HBM3, 81559, 9.0, 570.1, GPU-b\n"
MIG_LIST = """\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-a)
  MIG 3g.40gb     Device  0: (UUID: MIG-7839bf6f-ba33-59f0-89eb-01c8d8c4134d)
  MIG 1g.10gb+me  Device  1: (UUID: MIG-433a63e2-53a4-58c0-9b8d-a4dba3eb8f36)
  MIG 1c.3g.40gb  Device  2: (UUID: MIG-GPU-9de3d0e8-33f5-10dc-0c79-2c88a7ab0a23/9/0)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-b)
"""


def told(table: str, listed: str, host_mib: float | None = None) -> list[tuple[str, float | None]]:
    return [(device.names[0], device.memory_mib) for device in nvidia.of(table, listed, host_mib)]


def test_boards() -> None:
    assert told(ONE * 2, LIST) == [("NVIDIA GeForce RTX 4090", 24564)] * 2


def test_instances_stand_for_their_board() -> None:
    assert told(MIG_TABLE, MIG_LIST) == [
        ("NVIDIA H100 80GB HBM3 MIG 3g.40gb", None),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", None),
        ("NVIDIA H100 80GB HBM3 MIG 1c.3g.40gb", None),
        ("NVIDIA H100 80GB HBM3", 81559),
    ]


def test_shared_memory_is_that_of_the_system() -> None:
    [device] = nvidia.of("NVIDIA GB10, [N/A], 12.1, 580.126.09, GPU-c\n", "", 122_570.0)
    assert (device.names, device.memory_mib, device.host_mib) == (("NVIDIA GB10",), None, 122_570.0)


def test_a_driver_that_knows_no_compute_capability_still_lists_names() -> None:
    """Older ones answer the whole query with one line of complaint and fail."""
    assert told("", LIST) == [("NVIDIA GeForce RTX 4090", None)]
    assert told('Field "compute_cap" is not a valid field to query.\n', LIST) == [("NVIDIA GeForce RTX 4090", None)]


@pytest.mark.parametrize(
    "noise",
    [
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
        "No devices were found\n",
        "a, b\n",
        ", , , , \n",
        '"unclosed, 1, 2, 3, 4\n',
        "\x00\x1b[31m\n",
        "a, 1, 2, 3, 4, 5, 6\n",
    ],
)
def test_noise_is_no_device(noise: str) -> None:
    assert told(noise, noise) == []
    assert told(noise + ONE, noise + LIST) == [("NVIDIA GeForce RTX 4090", 24564)]


@pytest.mark.parametrize("size", ["", "[N/A]", "-5", "0", "nan", "inf", "1e400", "24564 MiB", "9" * 5000])
def test_a_size_that_is_none_is_unknown(size: str) -> None:
    assert told(f"NVIDIA L4, {size}, 8.9, 1, GPU-d\n", "") == [("NVIDIA L4", None)]


def test_no_machine_has_thousands() -> None:
    assert len(nvidia.of(ONE * 5000, "", None)) == 1024
    name = "x" * 10_000
    assert told(f"{name}, 1, 2, 3, 4\n", "") == [("x" * 200, 1)]
