"""A folder of `--catalogs` may ask a night for a plan: its demand and its inventory."""

from __future__ import annotations

from pathlib import Path

import pytest

import catalogs
from catalogs import demand

DEMAND = "model_id,context_tokens,concurrent_sequences\nopenai-community/gpt2,1024,4\n"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def test_a_folder_without_a_demand_asks_for_nothing(tmp_path: Path) -> None:
    write(tmp_path, policy=(Path(catalogs.__file__).parent / "policy.csv").read_text(encoding="utf-8"))
    assert demand.of_folder(tmp_path) is None
    assert demand.of_folder(None) is None


def test_a_demand_alone_has_no_inventory(tmp_path: Path) -> None:
    wanted = demand.of_folder(write(tmp_path, demand=DEMAND))
    assert wanted is not None
    assert wanted.demand.select("line", "model_id", "precision", "replicas").rows() == [
        (2, "openai-community/gpt2", "any", 1)
    ]
    assert wanted.inventory.is_empty()
    catalogs.validate(tmp_path)


def test_an_inventory_alone_asks_a_night_for_nothing(tmp_path: Path) -> None:
    write(tmp_path, inventory="gpu,devices\nnvidia-l4-24gb,3\n")
    assert demand.of_folder(tmp_path) is None
    catalogs.validate(tmp_path)


def test_an_inventory_beside_it(tmp_path: Path) -> None:
    wanted = demand.of_folder(write(tmp_path, demand=DEMAND, inventory="gpu,devices\nnvidia-l4-24gb,3\n"))
    assert wanted is not None
    assert wanted.inventory.rows() == [("nvidia-l4-24gb", 3)]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"demand": DEMAND.replace("1024", "-1")}, r"demand\.csv line 2: context_tokens must be > 0 \(got -1\)"),
        (
            {"demand": DEMAND, "inventory": "gpu,devices\nnvidia-l5,3\n"},
            r"inventory\.csv line 2: gpu must be a gpu_id of the catalog .*got nvidia-l5",
        ),
    ],
)
def test_a_bad_file_stops_a_night_before_it_starts(files: dict[str, str], said: str, tmp_path: Path) -> None:
    folder = write(tmp_path, **files)
    with pytest.raises(catalogs.CatalogError, match=said):
        catalogs.validate(folder)


def test_a_device_that_the_folder_does_not_have(tmp_path: Path) -> None:
    """A site's own gpus.csv decides which devices there are, in an inventory too."""
    header, *lines = (Path(catalogs.__file__).parent / "gpus.csv").read_text(encoding="utf-8").splitlines()
    kept = next(line for line in lines if line.startswith("nvidia-l4-24gb,"))
    folder = write(
        tmp_path, gpus=f"{header}\n{kept}\n", demand=DEMAND, inventory="gpu,devices\nnvidia-h100-sxm-80gb,3\n"
    )
    with pytest.raises(catalogs.CatalogError, match=r"inventory\.csv line 2: gpu must be a gpu_id"):
        catalogs.validate(folder)
