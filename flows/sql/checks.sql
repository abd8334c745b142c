-- What must hold before a night is published. A query that returns a row blocks the publication.
-- Queries that mention `previous.` run only when there is a published night to compare with.

-- name: listed_equals_read_plus_failed
SELECT models_listed, models_read, models_failed
FROM runs
WHERE run_id = (SELECT max(run_id) FROM runs) AND models_listed <> models_read + models_failed;

-- name: models_unique
SELECT model_id, count(*) AS copies FROM models GROUP BY model_id HAVING copies > 1;

-- name: no_model_both_read_and_failed
SELECT model_id FROM models SEMI JOIN model_errors USING (model_id);

-- name: tensor_types_are_of_artifacts
SELECT model_id, artifact FROM tensor_types ANTI JOIN artifacts USING (model_id, artifact);

-- name: every_model_has_its_shape
SELECT model_id, shape_id FROM models ANTI JOIN internal.shapes USING (shape_id);

-- name: fit_covers_cross_product
SELECT found, expected
FROM (
    SELECT
        (SELECT count(*) FROM internal.fit) AS found,
        (SELECT count(*) FROM internal.shapes) * (SELECT count(*) FROM precisions)
            * (SELECT count(*) FROM workloads) * (SELECT count(*) FROM gpus) AS expected
)
WHERE found <> expected;

-- name: fit_key_unique
-- Blocks of the fit table are cut by shape, workload and device: inside each, every pair of shape and precision once.
SELECT workload_ix, gpu_ix
FROM internal.fit
GROUP BY workload_ix, gpu_ix
HAVING count(*) <> (SELECT count(*) FROM internal.shapes) * (SELECT count(*) FROM precisions)
    OR sum(shape_ix::HUGEINT * 1000 + precision_ix) <> (
        SELECT sum(s.shape_ix::HUGEINT * 1000 + p.precision_ix) FROM internal.shapes s CROSS JOIN precisions p
    );

-- name: every_decision_has_its_outcome
SELECT outcome_ix, count(*) AS found
FROM internal.fit ANTI JOIN internal.outcomes USING (outcome_ix)
GROUP BY outcome_ix;

-- name: every_measurement_is_predicted_or_says_why
SELECT measurement, count(*) AS copies
FROM validation
GROUP BY measurement
HAVING copies > 1 OR bool_or((coalesce(predicted_bytes, predicted_seconds) IS NULL) = (reason IS NULL));

-- name: no_negative_bytes
SELECT 'weight_plans' AS plan, shape_ix FROM internal.weight_plans
WHERE least(weights_bytes, gradient_bytes, optimizer_bytes, update_bytes, margin_bytes) < 0
UNION ALL
SELECT 'cache_plans', shape_ix FROM internal.cache_plans WHERE least(kv_cache_bytes, state_bytes, margin_bytes) < 0
UNION ALL
SELECT 'overhead_plans', shape_ix FROM internal.overhead_plans WHERE least(activation_bytes, backward_bytes, overhead_bytes, margin_bytes) < 0;

-- name: calculators_agree_with_each_other
-- can-it-run-llm starts from accelerate's total, and every tool's number is positive.
SELECT a.shape_ix, a.precision, a.bytes AS total, c.bytes AS inference
FROM internal.calculators a
JOIN internal.calculators c USING (shape_ix, precision)
WHERE a.calculator = 'accelerate' AND a.quantity = 'total' AND c.calculator = 'can_it_run' AND c.quantity = 'inference'
    AND abs(c.bytes - a.bytes * 1.2) > 2
UNION ALL
SELECT shape_ix, precision, bytes, NULL FROM internal.calculators WHERE bytes IS NULL OR bytes < 0;

-- name: calculators_key_unique
SELECT shape_ix, precision, calculator, quantity FROM internal.calculators GROUP BY ALL HAVING count(*) > 1;

-- name: verdict_matches_headroom
-- A sample of models through the public view: what fits has room, what is too big has none.
SELECT model_id, precision, workload, gpu, verdict, required_bytes, required_bytes_high, usable_bytes, assured_bytes
FROM fit
WHERE model_id IN (SELECT model_id FROM models ORDER BY shape_id LIMIT 5)
    AND (
        (verdict IN ('fits', 'sharded') AND coalesce(required_bytes_high > assured_bytes, true))
        OR (verdict = 'tight' AND coalesce(required_bytes > usable_bytes OR required_bytes_high <= assured_bytes, true))
        OR (verdict = 'too_big' AND coalesce(required_bytes <= usable_bytes, true))
    );

-- name: unknown_only_when_an_input_is_null
SELECT f.model_id, f.precision, f.workload, f.gpu, f.required_bytes
FROM fit f
JOIN workloads w USING (workload)
JOIN precisions p USING (precision)
JOIN gpus g ON g.gpu_id = f.gpu
JOIN internal.supports k ON k.precision_ix = p.precision_ix AND k.gpu_ix = g.gpu_ix AND k.workload_ix = w.workload_ix
WHERE f.model_id IN (SELECT model_id FROM models ORDER BY shape_id DESC LIMIT 5)
    AND p.precision <> 'stored'
    AND f.verdict = 'unknown' AND f.required_bytes IS NOT NULL AND k.is_supported IS NOT NULL
    AND g.max_gpus_per_node IS NOT NULL;

-- name: snapshot_prices_are_fresh
SELECT gpu, provider, kind, as_of FROM prices WHERE origin = 'snapshot' AND is_stale IS NOT FALSE;

-- name: price_history_key_unique
SELECT provider, region, instance_type, kind, gpu, date FROM price_history GROUP BY ALL HAVING count(*) > 1;

-- name: prices_name_known_gpus
SELECT gpu FROM prices ANTI JOIN gpus ON gpus.gpu_id = prices.gpu;

-- name: errors_are_explained
SELECT model_id FROM model_errors WHERE kind IS NULL OR stage IS NULL OR message IS NULL;

-- name: every_column_commented
SELECT schema_name, table_name, column_name
FROM duckdb_columns()
WHERE database_name = current_database() AND NOT internal AND comment IS NULL;

-- name: every_table_commented
SELECT schema_name, table_name FROM duckdb_tables()
WHERE database_name = current_database() AND NOT internal AND comment IS NULL
UNION ALL
SELECT schema_name, view_name FROM duckdb_views()
WHERE database_name = current_database() AND NOT internal AND comment IS NULL;

-- name: models_not_halved_since_last_night
-- An outage must not replace a good night; a list that was cut on purpose lists fewer models.
SELECT now_read, before_read
FROM (
    SELECT
        (SELECT count(*) FROM models) AS now_read,
        (SELECT count(*) FROM previous.models) AS before_read,
        (SELECT count(*) FROM models) + (SELECT count(*) FROM model_errors) AS now_listed,
        (SELECT count(*) FROM previous.models) + (SELECT count(*) FROM previous.model_errors) AS before_listed
)
WHERE now_read * 2 < before_read AND now_listed * 10 >= before_listed * 9;

-- name: something_was_read
SELECT 'no listed model could be read' AS problem WHERE (SELECT count(*) FROM models) = 0;
