"""What stands on top of a decoder, by the class that `architectures` names."""

from __future__ import annotations

from flows.extract.keys import Keys

# Endings of class names that say that there is no matrix back to the vocabulary.
CLASSIFIERS = ("ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")
MOST_LABELS = 1_000_000


def has_vocabulary_head(name: str | None) -> bool:
    """Whether the class predicts tokens. Base classes (`MistralModel`) and classifiers do not; unnamed ones do."""
    return name is None or not (name.endswith(CLASSIFIERS) or (name.endswith("Model") and "LMHead" not in name))


def other_head(keys: Keys, name: str | None, hidden: int, *, has_bias: bool = False) -> int:
    """Parameters of a head that predicts something else than tokens.

    Source: transformers 5.24 modeling_layers: sequences are scored without a bias, tokens and spans with one. With
    `has_bias` the type's own head scores sequences with one as well.
    Raises ValueError for an unusable number of labels.
    """
    if name is None or not name.endswith(CLASSIFIERS):
        return 0
    if name.endswith("ForQuestionAnswering"):
        return 2 * hidden + 2
    count = labels(keys)
    return count * hidden + (count if has_bias or name.endswith("ForTokenClassification") else 0)


def labels(keys: Keys) -> int:
    """Rows of a classifier: the labels that are named, the number of them, or the two of the class."""
    named = keys.section("id2label")
    count = len(named) if named else keys.number("num_labels")
    if count is not None and count > MOST_LABELS:
        raise ValueError(f"num_labels is not a usable number: {count}")
    return 2 if count is None else count
