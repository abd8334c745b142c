"""What stands on top of a decoder, by class."""

from __future__ import annotations

from typing import Any

import pytest

from flows.extract.read_config import read_architecture

MISTRAL = {"model_type": "mistral", "vocab_size": 32_000}
BODY = 7_110_660_096  # e5-mistral-7b-instruct, which is stored without a head
HIDDEN = 4096


@pytest.mark.parametrize(
    ("name", "changes", "head"),
    [
        ("MistralForCausalLM", {}, 32_000 * HIDDEN),
        ("MistralModel", {}, 0),
        ("MistralForSequenceClassification", {}, 2 * HIDDEN),
        ("MistralForSequenceClassification", {"num_labels": 1}, HIDDEN),
        ("MistralForSequenceClassification", {"id2label": {"0": "a", "1": "b", "2": "c"}}, 3 * HIDDEN),
        ("MistralForTokenClassification", {"num_labels": 9}, 9 * HIDDEN + 9),
        ("MistralForQuestionAnswering", {}, 2 * HIDDEN + 2),
    ],
)
def test_heads_by_hand(name: str, changes: dict[str, Any], head: int) -> None:
    found = read_architecture({**MISTRAL, "architectures": [name], **changes})
    assert found.parameters == BODY + head
    # an embedding row is looked up and not multiplied, whatever the head is
    assert found.columns["active_read_parameters"] == BODY + head - 32_000 * HIDDEN
    assert found.notes == ()


def test_a_tied_head_is_multiplied_and_stored_once() -> None:
    found = read_architecture({**MISTRAL, "architectures": ["MistralForCausalLM"], "tie_word_embeddings": True})
    assert found.parameters == BODY
    assert found.columns["active_read_parameters"] == BODY


def test_another_head_is_named_and_not_guessed() -> None:
    found = read_architecture({**MISTRAL, "architectures": ["MistralForMusic"]})
    assert "MistralForMusic is sized as the decoder that it is built on" in found.notes


@pytest.mark.parametrize("labels", [-1, 10**9, "two", 1.5])
def test_an_absurd_number_of_labels_is_refused(labels: Any) -> None:
    name = "MistralForSequenceClassification"
    with pytest.raises(ValueError, match="num_labels"):
        read_architecture({**MISTRAL, "architectures": [name], "num_labels": labels})
