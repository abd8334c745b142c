"""What benchmarks/activations/count_encoders.py counts: encoders of the embedded snapshot, and types with the
configuration of one of them. A form is held against two widths of its class at least, and prompts short and long.
"""

from __future__ import annotations

from typing import Any

PROMPTS = (512, 8192)  # tokens
LONG = {"max_position_embeddings": 8194, "pad_token_id": 0}
NARROW = {"hidden_size": 512, "num_attention_heads": 4, "intermediate_size": 1024}
PLAIN, WORDS, LABELS = ({"architectures": [each]} for each in ("Model", "ForMaskedLM", "ForSequenceClassification"))
BERT = "google-bert/bert-base-uncased"
# types without a model in the snapshot, or with no other switches than their relatives
LIKE_BERT = ("ernie", "xlm-roberta", "camembert", "data2vec-text", "roberta-prelayernorm")
MARKS = {"cls_token_id": 1, "sep_token_id": 2, "bos_token_id": 1, "eos_token_id": 2, "mask_token_id": 3}
OTHERS: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("electra", {"embedding_size": 128}, {"embedding_size": 512}),
    ("nomic_bert", {"hidden_act": "silu"}, {"hidden_act": "gelu"}),
    ("jina_embeddings_v3", {}, {}),
    ("gte", {}, {}),
    ("eurobert", {"num_key_value_heads": 4, **MARKS}, {"num_key_value_heads": 4, **MARKS}),
    ("esm", {"position_embedding_type": "rotary", **MARKS}, {"position_embedding_type": "rotary", **MARKS}),
)
# model, changes to its configuration
CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    *((BERT, {**LONG, **more}) for more in (PLAIN, WORDS, LABELS, {**NARROW, **PLAIN}, {**NARROW, **WORDS})),
    *((BERT, {**LONG, **PLAIN, **more}) for more in ({"hidden_act": "relu"}, {"hidden_act": "gelu_new"})),
    *(
        ("FacebookAI/roberta-base", {**LONG, "vocab_size": 30_720, **more})
        for more in (PLAIN, WORDS, {**NARROW, **PLAIN})
    ),
    *(
        (BERT, {**LONG, "model_type": name, **more})
        for name in LIKE_BERT
        for more in (PLAIN, WORDS, {**NARROW, **PLAIN})
    ),
    *(
        ("distilbert/distilbert-base-uncased", {**LONG, **more})
        for more in (PLAIN, WORDS, {"dim": 512, "n_heads": 4, "hidden_dim": 1024, **PLAIN})
    ),
    *(
        ("albert/albert-base-v1", {**LONG, **more})
        for more in (PLAIN, WORDS, {"hidden_act": "gelu_new", **PLAIN}, {**NARROW, **PLAIN})
    ),
    *(
        ("sentence-transformers/all-mpnet-base-v2", {**LONG, **more})
        for more in (PLAIN, WORDS, {**NARROW, **PLAIN})
    ),
    *(
        ("microsoft/deberta-v3-base", {**LONG, "vocab_size": 30_720, **more})
        for more in (
            PLAIN, WORDS, {**NARROW, **PLAIN}, {"pos_att_type": "c2p", **PLAIN},
            {"share_att_key": False, **PLAIN},
        )
    ),
    *(
        (BERT, {**LONG, "model_type": "deberta", "relative_attention": True, "pos_att_type": "c2p|p2c", **more})
        for more in (PLAIN, WORDS, {**NARROW, **PLAIN})
    ),
    *(
        ("answerdotai/ModernBERT-base", {**LONG, "vocab_size": 30_720, **more})
        for more in (PLAIN, WORDS, *({**NARROW, **PLAIN, "intermediate_size": ffn} for ffn in (1024, 1536, 2048)))
    ),
    *(
        (BERT, {**LONG, "model_type": name, **size, **more})
        for name, wide, narrow in OTHERS
        for size, more in ((wide, PLAIN), (wide, WORDS), ({**NARROW, **narrow}, PLAIN))
        if name != "jina_embeddings_v3" or more is not WORDS
    ),
    *((BERT, {**LONG, "model_type": "xlm-roberta-xl", **more}) for more in (PLAIN, WORDS, {**NARROW, **PLAIN})),
    *((BERT, {**LONG, "model_type": "dpr", **size, "architectures": ["DPRQuestionEncoder"]}) for size in ({}, NARROW)),
    (BERT, {**LONG, "model_type": "esm", **NARROW, "position_embedding_type": "absolute", **MARKS, **PLAIN}),
)  # fmt: skip
