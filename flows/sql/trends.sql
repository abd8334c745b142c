-- Figures of one night that trends are made of: topic, item, workload, value, unit. What `runs` has is not said again.

-- name: kind
SELECT 'kind' AS topic, kind AS item, count(*)::DOUBLE AS value, 'models' AS unit FROM models GROUP BY kind;

-- name: known
SELECT 'known' AS topic, UNNEST(['exact counts', 'something unknown']) AS item, UNNEST([exact, unknown]) / n AS value, 'share' AS unit
FROM (
    SELECT
        count(*) AS n,
        count(*) FILTER (confidence = 'exact') AS exact,
        (SELECT count(*) FROM unknowns) AS unknown
    FROM models
)
WHERE n > 0;

-- name: parameters
-- Figures of models that there are, not of the middle between two.
SELECT
    'parameters' AS topic,
    UNNEST(['median', '90th percentile', 'largest']) AS item,
    UNNEST(quantile_disc(parameters, [0.5, 0.9, 1]))::DOUBLE AS value,
    'parameters' AS unit
FROM models
WHERE kind = 'decoder' AND parameters IS NOT NULL
HAVING count(*) > 0;

-- name: stored_precision
SELECT
    'stored precision' AS topic,
    CASE WHEN m.stored_precision IS NULL THEN 'unknown' ELSE coalesce(p.family, 'not in the catalog') END AS item,
    count(*) / (SELECT count(*) FROM models) AS value,
    'share' AS unit
FROM models m LEFT JOIN precisions p ON p.precision = m.stored_precision
GROUP BY item;

-- name: fit
-- Of each class of devices what the middle one of those holds that the workload's engine is known to run on, for nothing
-- is held where it does not, whatever the memory; a slice is no device that anybody looks for on a shelf.
-- `served` and `held_shapes` are what flows/trends.py asks for: one workload, and for each device a bit a shape.
WITH known AS (
    SELECT count(DISTINCT model_id) AS models
    FROM requirements SEMI JOIN (FROM precision_ranks WHERE rank IS NOT NULL) USING (precision)
    WHERE workload = (SELECT workload FROM served) AND total_bytes IS NOT NULL
),
classes AS (
    SELECT
        gpu_ix,
        gpu_id AS gpu,
        segment || CASE WHEN memory_gib_nominal < 8 THEN ' below 8 GiB' ELSE format(
            ' {} GiB',
            list_max(list_filter([8, 12, 16, 24, 32, 48, 64, 80, 128, 192, 256], lambda edge: edge <= memory_gib_nominal))
        ) END AS item
    FROM gpus WHERE segment <> 'slice' AND memory_gib_nominal IS NOT NULL
),
held AS (
    SELECT gpu_ix, sum(models * get_bit(bits, shape_ix::INTEGER)) AS models
    FROM held_shapes CROSS JOIN internal.models_of_shape
    GROUP BY gpu_ix
),
shares AS (
    SELECT c.item, coalesce(h.models, 0) / k.models AS share, s.workload
    FROM classes c
    CROSS JOIN (FROM known WHERE models > 0) k
    CROSS JOIN served s
    SEMI JOIN (
        FROM internal.supports
        WHERE is_supported
            AND workload_ix = (SELECT workload_ix FROM served)
            AND precision_ix IN (SELECT precision_ix FROM internal.precision_ranks)
    ) r ON r.gpu_ix = c.gpu_ix
    LEFT JOIN held h ON h.gpu_ix = c.gpu_ix
)
SELECT 'fit' AS topic, item, workload, quantile_disc(share, 0.5) AS value, 'share' AS unit
FROM shares GROUP BY item, workload
UNION ALL BY NAME
SELECT 'devices' AS topic, item, count(*)::DOUBLE AS value, 'devices' AS unit FROM classes GROUP BY item
UNION ALL BY NAME
SELECT 'price' AS topic, item, quantile_disc(usd_per_gpu_hour, 0.5) AS value, 'USD per hour' AS unit
FROM classes JOIN current_prices USING (gpu) GROUP BY item
UNION ALL BY NAME
SELECT 'stale prices' AS topic, item, count(*) FILTER (is_stale)::DOUBLE AS value, 'devices' AS unit
FROM classes JOIN current_prices USING (gpu) GROUP BY item;
