-- What models need and whether it runs there, joined back from the narrow internal tables. Views only add, subtract, multiply
-- and divide stored columns; every decision was made in the estimator.

CREATE VIEW requirements AS
SELECT
    * EXCLUDE (held_margin, kept_margin, taken_margin, paged_bytes, known_as),
    total_bytes + paged_bytes + held_margin + kept_margin + taken_margin AS total_bytes_high,
    -- greatest() passes over a null, so it is asked only when every term is known
    CASE WHEN total_bytes IS NOT NULL AND held_margin + kept_margin + taken_margin IS NOT NULL THEN
        greatest(0, weights_bytes + gradient_bytes + optimizer_bytes - held_margin)
        + greatest(0, kv_cache_bytes + state_bytes - kept_margin)
        + greatest(0, activation_bytes + overhead_bytes - taken_margin)
    END AS total_bytes_low,
    CASE WHEN total_bytes IS NOT NULL THEN known_as END AS confidence
FROM (
    SELECT
        * EXCLUDE (held_margin, kept_margin, taken_margin, paged_bytes, known_as),
        weights_bytes + kv_cache_bytes + state_bytes + activation_bytes + gradient_bytes + optimizer_bytes + overhead_bytes
            AS total_bytes,
        held_margin, kept_margin, taken_margin, paged_bytes, known_as
    FROM (
        SELECT
            m.model_id,
            p.precision,
            w.workload,
            c.context_tokens,
            wp.weights_bytes,
            wp.weights_basis,
            internal.held_cache_bytes(
                c.kv_cache_bytes, c.context_tokens, c.block_tokens, c.window_tokens, o.in_flight_tokens,
                c.kv_window_bytes_per_token
            ) AS kv_cache_bytes,
            c.state_bytes,
            internal.beside_gradients(
                o.activation_bytes, wp.gradient_bytes, o.backward_bytes, wp.update_bytes
            ) AS activation_bytes,
            wp.gradient_bytes,
            wp.optimizer_bytes,
            o.overhead_bytes,
            wp.margin_bytes AS held_margin, c.margin_bytes AS kept_margin, o.margin_bytes AS taken_margin, wp.paged_bytes,
            internal.worst_confidence(m.confidence, wp.weights_basis, p.confidence, e.confidence, 'high') AS known_as
        FROM internal.weight_plans wp
        JOIN internal.shapes s USING (shape_ix)
        JOIN models m USING (shape_id)
        JOIN precisions p USING (precision_ix)
        JOIN workloads w USING (residency_ix)
        JOIN internal.cache_plans c
            ON c.shape_ix = wp.shape_ix AND c.workload_ix = w.workload_ix AND c.split_ix = wp.split_ix
        JOIN internal.overhead_plans o
            ON o.shape_ix = wp.shape_ix AND o.workload_ix = w.workload_ix AND o.split_ix = wp.split_ix
            AND o.memory_tier_ix = (SELECT memory_tier_ix FROM internal.memory_tiers WHERE memory_tier = 'from_160_gib')
        LEFT JOIN engines e ON e.engine = w.engine AND e.memory_tier = 'from_160_gib' AND e.is_default
        WHERE wp.degree = 1
    )
);

-- Decisions with their plans at the degree that was decided for: one device where nothing fits. `decisions` names a
-- table with the keys of internal.fit; the report asks for a few of them, the view for all. In steps, for a name that is
-- used again in its own SELECT is planned and computed anew each time.
CREATE MACRO internal.fit_of(decisions) AS TABLE
SELECT
    model_id,
    precision,
    workload,
    gpu,
    verdict,
    gpus_needed,
    CASE WHEN gpus_needed IS NOT NULL THEN split END AS parallelism,
    required_bytes,
    required_bytes_high,
    -- greatest() passes over a null, so it is asked only when every term is known
    CASE WHEN required_bytes_high IS NOT NULL THEN
        greatest(0, held - held_margin) + greatest(0, kept - kept_margin)
        + greatest(0, peak + overhead_bytes - taken_margin)
    END AS required_bytes_low,
    CASE WHEN required_bytes IS NOT NULL THEN known_as END AS confidence,
    usable_bytes,
    assured_bytes,
    headroom_bytes,
    CASE WHEN is_offloaded THEN required_bytes - usable_bytes END AS host_bytes,
    context_tokens,
    CASE
        WHEN is_served THEN least(
            limit_tokens, internal.whole_blocks(least(
                internal.from_window(ends_below, ends_beyond, reach, 0),
                internal.from_window(layer_below, layer_beyond, reach, held_token),
                internal.from_window(attention_below, attention_beyond, reach, held_token)
            ), block)
        )
        -- least() passes over a null
        WHEN is_trained AND is_filled IS NOT NULL THEN least(limit_tokens, floor(least(
            internal.largest_in_chunks(
                loss_longest, longest_chunk, loss_room, loss_token, loss_pair, chunk_bytes, chunk_context
            ),
            again_longest,
            backward_longest,
            CASE WHEN NOT is_filled THEN trained_window - 1 END
        )))
    END::BIGINT AS max_context_tokens,
    -- groups of devices that each have their own sequences have as many again; a micro-batch is that of each device
    CASE
        WHEN is_served THEN replicas * floor(internal.most_sequences(
            sequences_room, bytes_per_sequence, filled_tokens, "window",
            window_token * in_flight_tokens, window_token / on_device * greatest(0, filled_tokens - "window"),
            ends_fixed, ends_sequence, layer_bytes, token_bytes, attention_bytes, pair_bytes, held_token
        ))
        WHEN is_trained THEN floor(least(
            internal.largest_in_chunks(loss_most, most_chunk, loss_room, loss_example, 0, chunk_bytes, chunk_examples),
            again_room / again_example,
            backward_room / backward_example
        ))
    END::BIGINT AS max_sequences,
    step_seconds,
    step_tokens / step_seconds AS decode_tokens_per_second,
    concurrent_sequences * step_tokens / step_seconds AS total_tokens_per_second,
    step_tokens / least_step_seconds AS decode_tokens_per_second_bound,
    first_token_seconds,
    context_tokens / first_token_seconds AS prefill_tokens_per_second,
    2 * reducing_seconds > first_token_seconds AS interconnect_bound,
    -- how far experts fall behind the rates differs from kernel to kernel, and the shares were fitted to one sequence
    CASE
        WHEN step_seconds IS NULL THEN NULL
        WHEN (experts > 0 OR concurrent_sequences > 1 OR is_offloaded OR speculates) AND speed_confidence <> 'bound' THEN 'low'
        ELSE speed_confidence
    END AS speed_confidence,
    usd_per_hour,
    usd_per_hour / 3600 * 1e6 * step_seconds / (concurrent_sequences * step_tokens) AS usd_per_million_tokens,
    usd_per_hour / 3600 * 1e6 * first_token_seconds / context_tokens AS usd_per_million_input_tokens,
    usd_purchase,
    usd_per_hour_owned,
    usd_per_hour_owned / 3600 * 1e6 * step_seconds / (concurrent_sequences * step_tokens) AS usd_per_million_tokens_owned,
    drawn_watts * step_seconds / (concurrent_sequences * step_tokens) AS joules_per_token
FROM (
    SELECT
        *,
        internal.step_seconds(
            step_bytes - host_read_bytes, step_cache, step_flops, weight_rate, cache_rate, step_rate,
            step_layers, layer_seconds, reduce_seconds, host_seconds
        )
            -- 0.6 of a host's bandwidth: estimator.host_weights.HOST_READ_SHARE
            + internal.host_step_seconds(host_read_bytes, 0.6 * host_rate) AS step_seconds,
        internal.step_seconds(
            step_bytes - host_read_bytes, step_cache, step_flops, nominal_rate, nominal_rate, nominal_flops, step_layers,
            0, 0, 0
        )
            + internal.host_step_seconds(host_read_bytes, host_rate) AS least_step_seconds,
        -- 0.45 of what the link has: estimator.host_weights.HOST_LINK_SHARE
        device_prompt_seconds
            + internal.host_prompt_seconds(prompt_read_bytes, context_tokens, prompt_batch, 0.45 * host_link_rate)
            AS first_token_seconds,
        -- the inverse of a need in three places, each below the window of a cache and beyond it
        internal.largest(ends_room, cache_token + window_token, 0) AS ends_below,
        internal.largest(ends_room - window_token * reach, cache_token, 0) AS ends_beyond,
        internal.largest(layer_room, cache_token + window_token + layer_token, 0) AS layer_below,
        internal.largest(
            layer_room + (all_held_token - window_token) * reach, cache_token + layer_token + all_held_token, held_pair
        ) AS layer_beyond,
        internal.largest(layer_room, cache_token + window_token + attention_token, attention_pair) AS attention_below,
        internal.largest(
            layer_room + (all_held_token - window_token) * reach, cache_token + attention_token + all_held_token,
            attention_pair + held_pair
        ) AS attention_beyond,
        internal.chunk_below(loss_longest / chunk_context) AS longest_chunk,
        internal.chunk_below(loss_most / chunk_examples) AS most_chunk
    FROM (
        SELECT
            *,
            -- the inverse of a training step's three peaks, at the loss with as much of a chunk as there must be
            internal.largest(loss_room, loss_token + chunk_bytes / chunk_context, loss_pair) AS loss_longest,
            internal.largest(again_room, again_token, again_pair) AS again_longest,
            internal.largest(backward_room, backward_token, backward_pair) AS backward_longest,
            loss_room / nullif(loss_example + chunk_bytes / chunk_examples, 0) AS loss_most,
            required_bytes + paged_bytes + held_margin + kept_margin + taken_margin AS required_bytes_high,
            usable_bytes - required_bytes AS headroom_bytes,
            internal.host_read_bytes(left_bytes, held, step_dense, step_experts, expert_share) AS host_read_bytes,
            internal.host_read_bytes(
                left_bytes, held, step_dense, step_experts, internal.expert_share(experts, experts_per_token, prompt_batch)
            ) AS prompt_read_bytes,
            -- what sequences and the activations that depend on them may fill
            room_bytes - required_bytes + kept + activation_bytes AS sequences_room,
            room_bytes - required_bytes + cache_bytes + activation_bytes - constant_bytes
                - ends_fixed - concurrent_sequences * ends_sequence AS ends_room,
            room_bytes - required_bytes + cache_bytes + activation_bytes - constant_bytes - layer_bytes AS layer_room,
            concurrent_sequences * token_bytes AS layer_token,
            concurrent_sequences * attention_bytes AS attention_token,
            concurrent_sequences * pair_bytes AS attention_pair,
            concurrent_sequences * held_token AS all_held_token,
            CASE WHEN held_token > 0 THEN concurrent_sequences ELSE 0 END AS held_pair
        FROM (
            SELECT
                *,
                cache_bytes + state_bytes AS kept,
                -- weights leave until the host has no more room or one layer stays; least() passes over a null
                usable_bytes + CASE WHEN NOT is_offloaded THEN 0 WHEN layers > 0 THEN least(host_room, held - held // layers)
                    END AS room_bytes,
                step_dense + expert_share * step_experts AS step_bytes,
                held + cache_bytes + state_bytes + peak + overhead_bytes AS required_bytes,
                internal.on_side(is_filled, loss_filled_token_bytes, loss_token_bytes) AS loss_token,
                internal.on_side(is_filled, loss_filled_pair_bytes, loss_pair_bytes) AS loss_pair,
                internal.on_side(is_filled, layer_filled_token_bytes, layer_token_bytes) AS again_token,
                internal.on_side(is_filled, layer_filled_pair_bytes, layer_pair_bytes) AS again_pair,
                internal.on_side(is_filled, backward_filled_token_bytes, backward_token_bytes) AS backward_token,
                internal.on_side(is_filled, backward_filled_pair_bytes, backward_pair_bytes) AS backward_pair,
                CASE WHEN is_offloaded THEN held + cache_bytes + state_bytes + peak + overhead_bytes - usable_bytes ELSE 0
                    END AS left_bytes
            FROM (
                SELECT
                    m.model_id, p.precision, w.workload, g.gpu_id AS gpu, t.verdict, t.gpus_needed, n.parallelism AS split,
                    u.usable_bytes, u.assured_bytes, w.concurrent_sequences,
                    internal.worst_confidence(
                        m.confidence, wp.weights_basis, p.confidence, e.confidence, g.confidence
                    ) AS known_as,
                    internal.tokens_of_step(w.speculative_tokens, w.acceptance) AS step_tokens,
                    w.speculative_tokens IS NOT NULL AS speculates,
                    (t.gpus_needed IS NOT NULL OR t.verdict = 'offload') AND w.mode = 'inference' AS is_served,
                    t.verdict = 'offload' AND w.mode = 'inference' AS is_offloaded,
                    t.gpus_needed IS NOT NULL AND w.mode = 'training' AS is_trained,
                    -- 0.8 of it: estimator.verdict.HOST_SHARE
                    floor(w.host_memory_gib * 1073741824 * 0.8) AS host_room,
                    w.host_gb_per_s * 1e9 AS host_rate, w.host_link_gb_per_s * 1e9 AS host_link_rate,
                    internal.prompt_batch_tokens(w.engine, e.batched_tokens, c.context_tokens) AS prompt_batch,
                    wp.weights_bytes + wp.gradient_bytes + wp.optimizer_bytes AS held,
                    wp.margin_bytes AS held_margin, wp.paged_bytes,
                    internal.filled(c.context_tokens, c.block_tokens) AS filled_tokens,
                    internal.held_cache_bytes(
                        c.kv_cache_bytes, c.context_tokens, c.block_tokens, c.window_tokens, o.in_flight_tokens,
                        c.kv_window_bytes_per_token
                    ) AS cache_bytes,
                    c.state_bytes, c.margin_bytes AS kept_margin, o.in_flight_tokens,
                    c.window_tokens + o.in_flight_tokens AS reach,
                    ceil(w.concurrent_sequences / n.replicas) AS on_device,
                    c.context_tokens, c.bytes_per_sequence, m.max_context_tokens AS limit_tokens,
                    c.kv_bytes_per_token AS cache_token, c.kv_window_bytes_per_token AS window_token,
                    c.kv_constant_bytes AS constant_bytes, c.window_tokens AS "window", c.block_tokens AS block,
                    internal.beside_gradients(
                        o.activation_bytes, wp.gradient_bytes, o.backward_bytes, wp.update_bytes
                    ) AS peak,
                    o.activation_bytes, o.overhead_bytes, o.margin_bytes AS taken_margin,
                    -- where nothing grows, activations are what they are
                    coalesce(a.fixed_bytes, o.activation_bytes) AS ends_fixed,
                    coalesce(a.sequence_bytes, 0) AS ends_sequence,
                    a.layer_bytes, a.token_bytes, a.attention_bytes, a.pair_bytes, a.held_bytes AS held_token,
                    -- whether the sequences of a training step may be longer than the window
                    internal.trained_room(u.usable_bytes, wp.weights_bytes, wp.optimizer_bytes, o.overhead_bytes, 0)
                        >= r.window_forward_bytes
                    AND internal.trained_room(
                        u.usable_bytes, wp.weights_bytes, wp.optimizer_bytes, o.overhead_bytes, wp.gradient_bytes
                    ) >= r.window_backward_bytes AS is_filled,
                    internal.trained_room(
                        u.usable_bytes, wp.weights_bytes, wp.optimizer_bytes, o.overhead_bytes + r.loss_fixed_bytes,
                        CASE WHEN r.keeps_gradients THEN wp.gradient_bytes ELSE 0 END
                    ) AS loss_room,
                    internal.trained_room(
                        u.usable_bytes, wp.weights_bytes, wp.optimizer_bytes, o.overhead_bytes + r.layer_fixed_bytes,
                        CASE WHEN r.keeps_gradients THEN wp.gradient_bytes ELSE 0 END
                    ) AS again_room,
                    internal.trained_room(
                        u.usable_bytes, wp.weights_bytes, wp.optimizer_bytes, o.overhead_bytes + r.backward_fixed_bytes,
                        wp.gradient_bytes
                    ) AS backward_room,
                    r.loss_token_bytes, r.loss_filled_token_bytes, r.loss_pair_bytes, r.loss_filled_pair_bytes,
                    r.layer_token_bytes, r.layer_filled_token_bytes, r.layer_pair_bytes, r.layer_filled_pair_bytes,
                    r.backward_token_bytes, r.backward_filled_token_bytes, r.backward_pair_bytes,
                    r.backward_filled_pair_bytes, r.loss_example_bytes AS loss_example,
                    r.layer_example_bytes AS again_example, r.backward_example_bytes AS backward_example,
                    r.chunk_bytes, r.chunk_context, r.chunk_examples, s.window_tokens AS trained_window,
                    n.replicas, s.experts, s.experts_per_token, v.speed_confidence,
                    wp.step_dense_bytes AS step_dense, wp.step_expert_bytes AS step_experts, k.expert_share,
                    -- null where there is no step to ask about, and where nobody knows how long: without graphs, and what
                    -- devices exchange that share a context, or nodes
                    CASE WHEN (t.gpus_needed IS NOT NULL OR t.verdict = 'offload')
                            AND NOT coalesce(contains(w.engine_options, 'eager'), false)
                            AND coalesce(w.context_parallel, 1) = 1
                            AND coalesce(t.gpus_needed, 1) <= coalesce(g.max_gpus_per_node, 1)
                        -- a block that predicts is as long as a layer
                        THEN s.layers + coalesce(w.speculative_tokens, 0) END AS step_layers,
                    s.layers, n.stages * c.step_cache_bytes AS step_cache, k.step_flops,
                    v.weight_bytes_per_second AS weight_rate, v.cache_bytes_per_second AS cache_rate,
                    -- says the same as estimator.speed.step_rate
                    CASE WHEN s.experts = 0 THEN v.step_flops_per_second
                        WHEN s.experts > 0 THEN v.expert_step_flops_per_second END AS step_rate,
                    v.nominal_bytes_per_second AS nominal_rate, v.nominal_flops_per_second AS nominal_flops,
                    v.layer_seconds, l.reduce_seconds, v.host_seconds,
                    CASE WHEN t.gpus_needed <= coalesce(g.max_gpus_per_node, 1) OR t.verdict = 'offload'
                        THEN internal.prompt_seconds(
                        k.prompt_linear_flops, k.prompt_attention_flops, v.linear_flops_per_second,
                        v.attention_flops_per_second, k.reduced_bytes, l.reduced_bytes_per_second
                    ) END AS device_prompt_seconds,
                    CASE WHEN t.gpus_needed IS NULL AND t.verdict <> 'offload' THEN NULL WHEN k.reduced_bytes = 0 THEN 0
                        ELSE k.reduced_bytes / l.reduced_bytes_per_second END AS reducing_seconds,
                    pr.usd_per_hour, pr.usd_purchase, pr.usd_per_hour_owned,
                    t.gpus_needed * g.drawn_watts AS drawn_watts
                FROM query_table(decisions) f
                JOIN internal.outcomes t ON t.outcome_ix = f.outcome_ix
                JOIN internal.shapes s ON s.shape_ix = f.shape_ix
                JOIN models m ON m.shape_id = s.shape_id
                JOIN precisions p ON p.precision_ix = f.precision_ix
                JOIN workloads w ON w.workload_ix = f.workload_ix
                JOIN gpus g ON g.gpu_ix = f.gpu_ix
                JOIN internal.capacities u ON u.gpu_ix = f.gpu_ix AND u.workload_ix = f.workload_ix
                LEFT JOIN internal.device_costs pr ON pr.gpu = g.gpu_id AND pr.devices = t.gpus_needed
                LEFT JOIN internal.weight_plans wp
                    ON wp.shape_ix = f.shape_ix AND wp.precision_ix = f.precision_ix AND wp.residency_ix = w.residency_ix
                    AND wp.degree = coalesce(t.gpus_needed, 1)
                LEFT JOIN internal.splits n ON n.split_ix = wp.split_ix
                LEFT JOIN internal.cache_plans c
                    ON c.shape_ix = f.shape_ix AND c.workload_ix = f.workload_ix AND c.split_ix = wp.split_ix
                LEFT JOIN internal.overhead_plans o
                    ON o.shape_ix = f.shape_ix AND o.workload_ix = f.workload_ix AND o.split_ix = wp.split_ix
                    AND o.memory_tier_ix = g.memory_tier_ix
                LEFT JOIN internal.activation_slopes a
                    ON a.shape_ix = f.shape_ix AND a.workload_ix = f.workload_ix AND a.memory_tier_ix = g.memory_tier_ix
                LEFT JOIN internal.training_slopes r
                    ON r.shape_ix = f.shape_ix AND r.workload_ix = f.workload_ix AND r.split_ix = wp.split_ix
                LEFT JOIN internal.work_plans k
                    ON k.shape_ix = f.shape_ix AND k.workload_ix = f.workload_ix AND k.split_ix = wp.split_ix
                LEFT JOIN engines e ON e.engine = w.engine AND e.memory_tier = g.memory_tier AND e.is_default
                LEFT JOIN internal.device_speeds v ON v.gpu_ix = f.gpu_ix AND v.format_ix = wp.format_ix AND v.engine = w.engine
                LEFT JOIN internal.device_links l ON l.gpu_ix = f.gpu_ix AND l.degree = n.tensor
            )
        )
    )
);

CREATE VIEW fit AS FROM internal.fit_of('internal.fit');

-- Splits that run at the middle of the estimate, where the upper end wants more devices or has no split at all: what
-- `tight` is on one device. Asked for a few models or devices; of all it is as large as fit by the numbers of devices.
CREATE VIEW tight_splits AS
SELECT
    model_id, precision, workload, gpu, verdict, gpus_needed,
    min(degree) AS gpus_at_middle,
    arg_min(parallelism, degree) AS parallelism,
    arg_min(required_bytes, degree) AS required_bytes,
    arg_min(usable_bytes, degree) AS usable_bytes
FROM (
    SELECT
        m.model_id, p.precision, w.workload, g.gpu_id AS gpu, t.verdict, t.gpus_needed, wp.degree, n.parallelism,
        u.usable_bytes,
        wp.weights_bytes + wp.gradient_bytes + wp.optimizer_bytes + internal.held_cache_bytes(
            c.kv_cache_bytes, c.context_tokens, c.block_tokens, c.window_tokens, o.in_flight_tokens,
            c.kv_window_bytes_per_token
        ) + c.state_bytes + internal.beside_gradients(
            o.activation_bytes, wp.gradient_bytes, o.backward_bytes, wp.update_bytes
        ) + o.overhead_bytes AS required_bytes
    FROM internal.fit f
    JOIN internal.outcomes t ON t.outcome_ix = f.outcome_ix
    JOIN internal.shapes s ON s.shape_ix = f.shape_ix
    JOIN models m ON m.shape_id = s.shape_id
    JOIN precisions p ON p.precision_ix = f.precision_ix
    JOIN workloads w ON w.workload_ix = f.workload_ix
    JOIN gpus g ON g.gpu_ix = f.gpu_ix
    JOIN internal.capacities u ON u.gpu_ix = f.gpu_ix AND u.workload_ix = f.workload_ix
    JOIN internal.weight_plans wp
        ON wp.shape_ix = f.shape_ix AND wp.precision_ix = f.precision_ix AND wp.residency_ix = w.residency_ix
        AND wp.degree > 1 AND wp.degree < coalesce(t.gpus_needed, 255) AND wp.degree <= u.max_devices
    JOIN internal.splits n ON n.split_ix = wp.split_ix
    JOIN internal.cache_plans c
        ON c.shape_ix = f.shape_ix AND c.workload_ix = f.workload_ix AND c.split_ix = wp.split_ix
    JOIN internal.overhead_plans o
        ON o.shape_ix = f.shape_ix AND o.workload_ix = f.workload_ix AND o.split_ix = wp.split_ix
        AND o.memory_tier_ix = g.memory_tier_ix
    WHERE t.verdict IN ('sharded', 'too_big')
)
WHERE required_bytes <= usable_bytes
GROUP BY ALL;
