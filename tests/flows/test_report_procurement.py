"""The page for a buyer of a whole night: what its sentences count, and what names of strangers do on it."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from chromium import CHROMIUM, NO_CHROMIUM, Watched
from made_up_night import HOSTILE_NAMES
from playwright.sync_api import sync_playwright
from price_rows import H100
from snapshot_answers import built, keep

import catalogs
from flows import report, warehouse
from flows.report_procurement import WRITES_TEXT
from reports.downloads import CONTROLS, FORMULA

GPT2, QWEN = "openai-community/gpt2", "Qwen/Qwen3-0.6B"
# They embed words, see, listen, and compare pictures with words.
OTHERS = (
    "BAAI/bge-large-en-v1.5",
    "google/vit-base-patch16-224",
    "openai/whisper-small",
    "openai/clip-vit-large-patch14",
)
GPUS = ("nvidia-l4-24gb", H100, "nvidia-rtx-4090-24gb", "nvidia-a10g-24gb", "nvidia-t4-16gb")


def renamed(folder: Path, catalog: str, *columns: str) -> None:
    """Give the rows of a what-if file hostile names in turn, each with a number of its own."""
    path = folder / f"{catalog}.csv"
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for at, row in enumerate(rows):
            name = f"{HOSTILE_NAMES[at % len(HOSTILE_NAMES)]} {at}"
            writer.writerow(row | {column: name for column in columns if row[column]})


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Devices and providers are called what only a stranger would call them, as far as a catalog takes such a name."""
    place = tmp_path_factory.mktemp("strangers")
    folder = place / "ours"
    folder.mkdir()
    keep(folder, "gpus", GPUS)
    keep(folder, "prices", GPUS)
    keep(folder, "precisions", ("bf16", "stored"))
    keep(folder, "workloads", ("chat-8k",))
    renamed(folder, "gpus", "name")
    renamed(folder, "prices", "provider", "region", "instance_type")
    catalogs.validate(folder)
    (folder / "demand.csv").write_text(
        f"model_id,context_tokens,concurrent_sequences,replicas\n{GPT2},1024,2,9\n", encoding="utf-8"
    )
    return built(place, [GPT2, QWEN, *OTHERS], folder, warehouse.build)


@pytest.fixture(scope="module")
def site(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    report.write(database, place)
    return place


def test_sentences_count_what_chats_and_say_what_is_left_out(site: Path) -> None:
    """GPT-2 has 1,024 tokens of its own, Qwen3-0.6B more than 8,192; the other four embed, see or listen."""
    page = (site / "procurement.html").read_text(encoding="utf-8")
    assert (
        "Of 2 models that write text, 2 run on devices with an on-demand price (one chat of 8k tokens, at the"
        " model&#39;s own context where that is shorter, as for 1 of them)"
    ) in page
    assert "4 models that are not known to write text, such as encoders, are not counted here; " in page
    assert "These needs are at the upper end of the estimate, 2 with " in page, "of the same two"


@pytest.mark.parametrize(
    ("kind", "task", "architecture", "writes"),
    [
        ("decoder", "text-generation", "LlamaForCausalLM", True),
        ("decoder", "image-text-to-text", None, True),
        ("decoder", "text-generation", "ChatGLMModel", True),
        ("decoder", None, "ChatGLMModel", True),
        ("decoder", None, "GPT2LMHeadModel", True),
        ("decoder", None, None, True),
        ("decoder", None, "MistralModel", False),
        ("decoder", "feature-extraction", "Qwen3ForCausalLM", False),
        ("decoder", "text-ranking", "Qwen3ForCausalLM", False),
        ("decoder", "text-generation", "LlamaForSequenceClassification", False),
        ("decoder", None, "LlamaForTokenClassification", False),
        ("encoder", None, "BertModel", False),
        ("encoder_decoder", "automatic-speech-recognition", "WhisperForConditionalGeneration", False),
        ("diffusion", None, None, False),
        ("adapter", "text-generation", None, False),
        (None, None, None, None),
    ],
)
def test_which_models_write_text(
    database: Path, kind: str | None, task: str | None, architecture: str | None, writes: bool | None
) -> None:
    query = f"SELECT {WRITES_TEXT} FROM (SELECT ? AS kind, ?::VARCHAR AS task, ?::VARCHAR AS architecture)"
    with warehouse.connect(database) as connection:
        assert connection.execute(query, [kind, task, architecture]).fetchall() == [(writes,)]


def test_files_of_a_night_start_nothing(database: Path, site: Path) -> None:
    with warehouse.connect(database) as connection:
        [(strange,)] = connection.execute("SELECT list(DISTINCT provider) FROM cheapest_assured").fetchall()
    assert strange
    assert all(name.startswith(HOSTILE_NAMES) for name in strange), "the catalog takes such names"
    text = (site / "procurement.csv").read_bytes().decode("utf-8")
    assert [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row if FORMULA.match(cell)] == []
    assert not CONTROLS.search(text)
    with zipfile.ZipFile(site / "procurement.xlsx") as book:
        parts = {name: book.read(name).decode() for name in book.namelist()}
    for part in parts.values():
        ElementTree.fromstring(part)
        assert "<f>" not in part
        assert "<hyperlink" not in part
        assert not CONTROLS.search(part)
    assert not [name for name in parts if "external" in name.lower() or "vba" in name.lower()]


@pytest.fixture(params=[390, 360])
def phone(request: pytest.FixtureRequest) -> Iterator[Watched]:
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": request.param, "height": 900})
        yield Watched(context.new_page())
        browser.close()


def test_a_night_with_such_names_is_a_page_on_a_phone(site: Path, phone: Watched) -> None:
    page = phone.page
    page.goto((site / "procurement.html").as_uri())
    page.locator("section > details summary").click()
    assert phone.complaints == []
    assert [url for url in phone.requests if not url.startswith(("file:", "data:"))] == []
    assert page.locator("main img, main script").count() == 0
    width = page.evaluate("document.documentElement.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    tables = "found => found.filter(table => !table.closest('.scroll, .rows')).length"
    assert page.locator("main table").evaluate_all(tables) == 0
    plan = page.locator("#plan .scroll")
    assert plan.evaluate_all("boxes => boxes.filter(box => box.scrollWidth > box.clientWidth).length") == 0
    assert page.locator("#plan").inner_text().count("$") > 5
    # an hour's price stands beside the name, in sight before anybody scrolls
    hours = page.locator("#cheapest tbody tr:not(.spacer) td:nth-child(2), details tbody td:nth-child(2)")
    cells = hours.evaluate_all("cells => cells.map(cell => [cell.innerText, cell.getBoundingClientRect().right])")
    assert len(cells) >= 6 + len(GPUS) - 1
    assert all(words.startswith("$") and right <= width for words, right in cells)
