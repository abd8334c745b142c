-- The tables SQL users know, joined back from the narrow internal ones.
-- Views only add, subtract, multiply and divide stored columns; every decision was made in the estimator.

CREATE VIEW requirements AS
SELECT
    m.model_id,
    p.precision,
    w.workload,
    c.context_tokens,
    wp.weights_bytes,
    wp.weights_basis,
    c.kv_cache_bytes,
    c.state_bytes,
    o.activation_bytes,
    wp.gradient_bytes,
    wp.optimizer_bytes,
    o.overhead_bytes,
    wp.weights_bytes + c.kv_cache_bytes + c.state_bytes + o.activation_bytes
        + wp.gradient_bytes + wp.optimizer_bytes + o.overhead_bytes AS total_bytes
FROM internal.weight_plans wp
JOIN internal.shapes s USING (shape_ix)
JOIN models m USING (shape_id)
JOIN precisions p USING (precision_ix)
JOIN workloads w USING (residency_ix)
JOIN internal.cache_plans c ON c.shape_ix = wp.shape_ix AND c.workload_ix = w.workload_ix AND c.degree = 1
JOIN internal.overhead_plans o
    ON o.shape_ix = wp.shape_ix AND o.workload_ix = w.workload_ix AND o.degree = 1
    AND o.memory_tier_ix = (SELECT memory_tier_ix FROM internal.memory_tiers WHERE memory_tier = 'from_160_gib')
WHERE wp.degree = 1;

CREATE VIEW current_prices AS
SELECT
    gpu,
    min(usd_per_gpu_hour) AS usd_per_gpu_hour,
    arg_min(provider, usd_per_gpu_hour) AS provider,
    arg_min(region, usd_per_gpu_hour) AS region,
    arg_min(as_of, usd_per_gpu_hour) AS as_of
FROM prices
WHERE kind = 'on_demand' AND usd_per_gpu_hour IS NOT NULL AND gpu_count >= 1 -- slices are other devices
GROUP BY gpu;

-- The internal fit with the plans at the degree it was decided for: one device where nothing fits.
CREATE VIEW fit AS
SELECT
    m.model_id,
    p.precision,
    w.workload,
    g.gpu_id AS gpu,
    f.verdict,
    f.gpus_needed,
    CASE WHEN f.gpus_needed = 1 THEN 'single' WHEN f.gpus_needed > 1 THEN 'tp' || f.gpus_needed END AS parallelism,
    wp.weights_bytes + wp.gradient_bytes + wp.optimizer_bytes + c.kv_cache_bytes + c.state_bytes
        + o.activation_bytes + o.overhead_bytes AS required_bytes,
    u.usable_bytes,
    u.usable_bytes - required_bytes AS headroom_bytes,
    c.context_tokens,
    -- The inverse of the cache's two slopes: up to the window both grow, beyond it only full layers do.
    CASE
        WHEN f.gpus_needed IS NULL OR w.mode <> 'inference' THEN NULL
        WHEN c.kv_bytes_per_token + c.kv_window_bytes_per_token = 0 THEN m.max_context_tokens
        ELSE least(
            m.max_context_tokens,
            CASE
                WHEN (headroom_bytes + c.kv_cache_bytes - c.kv_constant_bytes)
                    <= (c.kv_bytes_per_token + c.kv_window_bytes_per_token) * c.window_tokens
                THEN floor(
                    (headroom_bytes + c.kv_cache_bytes - c.kv_constant_bytes)
                    / (c.kv_bytes_per_token + c.kv_window_bytes_per_token)
                )
                WHEN c.kv_bytes_per_token = 0 THEN m.max_context_tokens
                ELSE floor(
                    (headroom_bytes + c.kv_cache_bytes - c.kv_constant_bytes
                        - c.kv_window_bytes_per_token * c.window_tokens) / c.kv_bytes_per_token
                )
            END
        )
    END::BIGINT AS max_context_tokens,
    CASE
        WHEN f.gpus_needed IS NULL OR w.mode <> 'inference' OR c.bytes_per_sequence = 0 THEN NULL
        ELSE floor((headroom_bytes + c.kv_cache_bytes + c.state_bytes) / c.bytes_per_sequence)
    END::BIGINT AS max_sequences,
    CAST(NULL AS DOUBLE) AS decode_tokens_per_second,
    CAST(NULL AS DOUBLE) AS prefill_tokens_per_second,
    f.gpus_needed * pr.usd_per_gpu_hour AS usd_per_hour,
    CAST(NULL AS DOUBLE) AS usd_per_million_tokens
FROM internal.fit f
JOIN internal.shapes s ON s.shape_ix = f.shape_ix
JOIN models m ON m.shape_id = s.shape_id
JOIN precisions p ON p.precision_ix = f.precision_ix
JOIN workloads w ON w.workload_ix = f.workload_ix
JOIN gpus g ON g.gpu_ix = f.gpu_ix
JOIN internal.capacities u ON u.gpu_ix = f.gpu_ix AND u.engine = w.engine
LEFT JOIN current_prices pr ON pr.gpu = g.gpu_id
LEFT JOIN internal.weight_plans wp
    ON wp.shape_ix = f.shape_ix AND wp.precision_ix = f.precision_ix AND wp.residency_ix = w.residency_ix
    AND wp.degree = coalesce(f.gpus_needed, 1)
LEFT JOIN internal.cache_plans c
    ON c.shape_ix = f.shape_ix AND c.workload_ix = f.workload_ix AND c.degree = coalesce(f.gpus_needed, 1)
LEFT JOIN internal.overhead_plans o
    ON o.shape_ix = f.shape_ix AND o.workload_ix = f.workload_ix AND o.degree = coalesce(f.gpus_needed, 1)
    AND o.memory_tier_ix = g.memory_tier_ix;
