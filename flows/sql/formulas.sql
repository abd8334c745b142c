-- Formulas of the views, as the estimator has them: sums, products and quotients of stored columns, and the roots and powers
-- of two that turn a need around.

-- What comes and goes within a training step besides the gradients: the forward pass before there are any, the end of the
-- backward pass, or the optimizer's update. In inference the forward pass alone. greatest() passes over a null, so it
-- is asked only when all are known.
CREATE MACRO internal.beside_gradients(forward, gradients, backward, updates) AS
    CASE WHEN forward + gradients + backward + updates IS NOT NULL
        THEN greatest(forward - gradients, backward, updates) END;

-- Says the same as estimator.cache.in_flight_bytes; least() passes over a null.
CREATE MACRO internal.in_flight_bytes(tokens, "window", in_flight, token_bytes) AS
    CASE WHEN in_flight IS NOT NULL
        THEN ceil(token_bytes * (least(tokens, "window" + in_flight) - least(tokens, "window")))::BIGINT END;

-- Tokens in whole blocks of a cache.
CREATE MACRO internal.filled(tokens, block) AS block * ceil(tokens / block);

-- Cache of all sequences with the batches in flight beside it.
CREATE MACRO internal.held_cache_bytes(kv_cache_bytes, context, block, "window", in_flight, token_bytes) AS
    kv_cache_bytes + internal.in_flight_bytes(internal.filled(context, block), "window", in_flight, token_bytes);

-- The largest x with token * x + pair * x * x within room: without end where nothing grows, -1 where there is no room.
CREATE MACRO internal.largest(room, token, pair) AS
    CASE
        WHEN room < 0 THEN -1
        WHEN room >= 0 THEN
            CASE
                WHEN token + pair = 0 THEN 'infinity'::DOUBLE
                WHEN room = 0 THEN 0
                ELSE 2 * room / (token + sqrt(token * token + 4 * pair * room))
            END
    END;

-- Tokens of context, of the answers for a need below the window of a cache and for one beyond it. A prompt as long as the
-- window is beyond it, which matters where something is held for that.
CREATE MACRO internal.from_window(below, beyond, "window", held_bytes) AS
    CASE
        WHEN beyond >= "window" THEN beyond
        -- least() passes over a null
        WHEN beyond IS NOT NULL THEN least(below, "window" - CASE WHEN held_bytes > 0 THEN 1 ELSE 0 END)
    END;

-- Sequences whose caches and activations are within room, at a context in whole blocks. Beside them there is a batch of
-- prompts in flight, or all that their prompts have beyond the window where that is less.
CREATE MACRO internal.most_sequences(
    room, each, context, "window", in_flight_bytes, beyond_bytes,
    fixed_bytes, sequence_bytes, layer_bytes, token_bytes, attention_bytes, pair_bytes, held_bytes
) AS
    least(
        greatest(
            (room - fixed_bytes - in_flight_bytes) / nullif(each + sequence_bytes, 0),
            (room - fixed_bytes) / nullif(each + sequence_bytes + beyond_bytes, 0)
        ),
        (room - layer_bytes) / nullif(
            each + context * greatest(token_bytes, attention_bytes + pair_bytes * context)
                + CASE WHEN held_bytes > 0 AND context >= "window"
                    THEN (context - "window") * held_bytes + context * context ELSE 0 END,
            0
        )
    );

-- What largest() says, beside the logits of a fused loss. It has those of a chunk: a power of two of tokens, at least one
-- for each `ratio` of x. `bound` would be the answer for chunks of any size. A longer chunk leaves less room, a shorter one
-- is too small: of the two powers around that of `bound` one has the answer. `chunk` is the smaller of them.
CREATE MACRO internal.largest_in_chunks(bound, chunk, room, token, pair, chunk_bytes, ratio) AS
    CASE
        WHEN chunk_bytes = 0 THEN bound
        -- least() and greatest() pass over a null
        WHEN chunk_bytes > 0 AND bound IS NOT NULL THEN greatest(
            least(chunk * ratio, internal.largest(room - chunk * chunk_bytes, token, pair)),
            least(2 * chunk * ratio, internal.largest(room - 2 * chunk * chunk_bytes, token, pair))
        )
    END;

-- The power of two up to a number of tokens, 1 at least.
CREATE MACRO internal.chunk_below(tokens) AS CASE WHEN tokens IS NOT NULL THEN pow(2, floor(log2(greatest(1, tokens)))) END;

-- Of two numbers the one for sequences that fill the window, or the one for shorter ones.
CREATE MACRO internal.on_side(is_filled, filled, below) AS CASE WHEN is_filled THEN filled WHEN NOT is_filled THEN below END;

-- What sequences of a training step may fill beside gradients; it has no cache.
CREATE MACRO internal.trained_room(usable, weights, optimizer, overhead, gradients) AS
    usable - weights - optimizer - overhead - gradients;

-- Null where there is no end.
CREATE MACRO internal.whole_blocks(tokens, block) AS
    CASE WHEN tokens < 'infinity'::DOUBLE THEN block * floor(tokens / block) END;

-- Of one device; greatest() passes over a null. Says the same as estimator.speed.step_seconds.
CREATE MACRO internal.step_seconds(
    weight_bytes, cache_bytes, flops, weight_rate, cache_rate, flops_rate, layers, layer_seconds, reduce_seconds, host_seconds
) AS
    CASE WHEN weight_bytes / weight_rate + cache_bytes / cache_rate + flops / flops_rate IS NOT NULL
        THEN greatest(weight_bytes / weight_rate + cache_bytes / cache_rate, flops / flops_rate) END
    + layers * (layer_seconds + 2 * reduce_seconds) + host_seconds;

-- That a step yields for each sequence. Says the same as estimator.speculation.tokens_of_step.
CREATE MACRO internal.tokens_of_step(speculative_tokens, acceptance) AS
    CASE
        WHEN speculative_tokens IS NULL THEN 1
        WHEN acceptance = 1 THEN speculative_tokens + 1
        ELSE (1 - pow(acceptance, speculative_tokens + 1)) / (1 - acceptance)
    END;

-- Of weights in host memory, that a step reads: experts leave a device first. Says the same as
-- estimator.host_weights.host_read_bytes; least() passes over a null.
CREATE MACRO internal.host_read_bytes(left_bytes, held, dense, experts, expert_share) AS
    CASE
        WHEN left_bytes = 0 THEN 0
        WHEN left_bytes <= experts THEN left_bytes * expert_share
        WHEN left_bytes > experts THEN experts * expert_share + (left_bytes - experts) * (dense / (held - experts))
    END;

-- That a host takes in a step for weights of its own. Says the same as estimator.host_weights.host_step_seconds.
CREATE MACRO internal.host_step_seconds(read, bytes_per_second) AS
    CASE WHEN read = 0 THEN 0 ELSE read / bytes_per_second END;

-- Of routed experts, that at least one of some tokens visits. Says the same as estimator.speed.expert_share.
CREATE MACRO internal.expert_share(experts, per_token, tokens) AS
    CASE WHEN experts = 0 THEN 0 ELSE 1 - pow(1 - per_token / experts, tokens) END;

-- Tokens of a prompt that are computed at once. Says the same as estimator.host_weights.prompt_batch_tokens; least() passes over a
-- null.
CREATE MACRO internal.prompt_batch_tokens(engine, batched_tokens, tokens) AS
    CASE
        WHEN batched_tokens = 0 OR (engine = 'llamacpp' AND least(batched_tokens, tokens) < 32) THEN NULL
        WHEN tokens IS NOT NULL THEN least(batched_tokens, tokens)
    END;

-- That a prompt waits for weights in host memory. Says the same as estimator.host_weights.host_prompt_seconds.
CREATE MACRO internal.host_prompt_seconds(read, tokens, batch, bytes_per_second) AS
    CASE WHEN read = 0 THEN 0 ELSE read * (ceil(tokens / batch) / bytes_per_second) END;

-- Until the first token of a prompt. Says the same as estimator.speed.prompt_seconds.
CREATE MACRO internal.prompt_seconds(linear_flops, attention_flops, linear_rate, attention_rate, reduced_bytes, reduced_rate) AS
    linear_flops / linear_rate + attention_flops / attention_rate
    + CASE WHEN reduced_bytes = 0 THEN 0 ELSE reduced_bytes / reduced_rate END;

-- Of what an answer rests on the worst: the model's counts, the format unless a file's bytes are known, the engine's constants
-- and the device's row. Null where one of them is not there.
CREATE MACRO internal.worst_confidence(counts, basis, format, engine, device) AS
    CASE
        WHEN counts = 'estimated' OR engine = 'low' OR device = 'low' OR (basis <> 'stored' AND format = 'low') THEN 'low'
        WHEN engine = 'medium' OR device = 'medium' OR (basis <> 'stored' AND format = 'medium') THEN 'medium'
        WHEN counts IS NOT NULL AND basis IS NOT NULL AND engine IS NOT NULL AND device IS NOT NULL THEN 'high'
    END;
