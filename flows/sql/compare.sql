-- How a night differs from the one before it, attached as `previous`. Queries that each fill one table of changes.sql, in
-- this order.

-- name: same_models
-- A model of both nights under its name, or under another with the very same commit.
CREATE TEMP TABLE same_models AS
WITH added AS (
    SELECT model_id, revision FROM models n
    ANTI JOIN previous.models b USING (model_id) ANTI JOIN previous.model_errors e USING (model_id)
    WHERE revision IS NOT NULL
    QUALIFY count(*) OVER (PARTITION BY revision) = 1
),
gone AS (
    SELECT model_id, revision FROM previous.models b ANTI JOIN models n USING (model_id)
    ANTI JOIN model_errors e USING (model_id)
    WHERE revision IS NOT NULL
    QUALIFY count(*) OVER (PARTITION BY revision) = 1
)
SELECT model_id, model_id AS before_model_id FROM models SEMI JOIN previous.models USING (model_id)
UNION ALL
SELECT a.model_id, g.model_id FROM added a JOIN gone g USING (revision);

-- name: model_changes
INSERT INTO model_changes BY NAME
SELECT
    model_id,
    CASE WHEN e.model_id IS NULL THEN 'added' ELSE 'recovered' END AS change,
    NULL AS detail,
    e.kind AS before,
    NULL AS after,
    'model' AS cause
FROM (FROM models ANTI JOIN same_models USING (model_id)) n
LEFT JOIN (SELECT model_id, min(kind) AS kind FROM previous.model_errors GROUP BY ALL) e USING (model_id)
UNION ALL BY NAME
SELECT
    model_id,
    CASE WHEN e.model_id IS NULL THEN 'removed' ELSE 'failed' END AS change,
    e.message AS detail,
    NULL AS before,
    e.kind AS after,
    'model' AS cause
FROM (FROM previous.models b ANTI JOIN same_models s ON s.before_model_id = b.model_id) b
LEFT JOIN (
    SELECT model_id, min(kind) AS kind, arg_min(message, kind) AS message FROM model_errors GROUP BY ALL
) e USING (model_id)
UNION ALL BY NAME
SELECT s.model_id, 'renamed' AS change, detail, before, after, 'model' AS cause
FROM same_models s
JOIN models n USING (model_id)
JOIN previous.models b ON b.model_id = s.before_model_id,
    LATERAL (VALUES
        ('on the list', s.before_model_id, s.model_id),
        ('on the Hub', CASE WHEN s.before_model_id = s.model_id THEN b.resolved_id END, n.resolved_id)
    ) t (detail, before, after)
WHERE before <> after
UNION ALL BY NAME
SELECT s.model_id, 'revision' AS change, NULL AS detail, b.revision AS before, n.revision AS after, 'model' AS cause
FROM same_models s
JOIN models n USING (model_id)
JOIN previous.models b ON b.model_id = s.before_model_id
WHERE n.revision IS DISTINCT FROM b.revision;

-- name: price_changes
INSERT INTO price_changes BY NAME
WITH cheapest AS (
    SELECT DISTINCT ON (gpu, kind) gpu, kind, coalesce(usd_per_gpu_hour, usd_purchase) AS usd, provider, as_of
    FROM prices WHERE gpu_count >= 1
    ORDER BY gpu, kind, usd, provider, region, as_of
),
cheapest_before AS (
    SELECT DISTINCT ON (gpu, kind) gpu, kind, coalesce(usd_per_gpu_hour, usd_purchase) AS usd, provider, as_of
    FROM previous.prices WHERE gpu_count >= 1
    ORDER BY gpu, kind, usd, provider, region, as_of
)
SELECT
    gpu, kind, b.usd AS usd_before, n.usd AS usd_after, b.provider AS provider_before, n.provider AS provider_after,
    b.as_of AS as_of_before, n.as_of AS as_of_after
FROM cheapest n FULL JOIN cheapest_before b USING (gpu, kind)
WHERE n.usd IS DISTINCT FROM b.usd
ORDER BY gpu, kind;

-- name: model_pairs
INSERT INTO internal.model_pairs BY NAME
SELECT
    s.model_id,
    s.before_model_id,
    dense_rank() OVER (ORDER BY t.shape_ix, u.shape_ix) - 1 AS pair_ix,
    t.shape_ix,
    u.shape_ix AS before_shape_ix,
    n.shape_id = b.shape_id AS is_same_shape,
    CASE WHEN n.shape_id <> b.shape_id AND (n.revision IS DISTINCT FROM b.revision OR NOT method_changed) THEN 'model' END AS cause
FROM same_models s
JOIN models n USING (model_id)
JOIN previous.models b ON b.model_id = s.before_model_id
JOIN internal.shapes t ON t.shape_id = n.shape_id
JOIN previous.internal.shapes u ON u.shape_id = b.shape_id
CROSS JOIN comparison
ORDER BY s.model_id;

-- name: changed_inputs
-- Engines and their reserves, and elements of the cache, decide through the workloads that name them.
INSERT INTO internal.changed_inputs BY NAME
SELECT 'gpu' AS kind, gpu_ix AS input_ix FROM gpus
WHERE gpu_id IN (SELECT entry FROM decisive WHERE catalog = 'gpus')
UNION ALL
SELECT 'precision', precision_ix FROM precisions
WHERE precision IN (SELECT entry FROM decisive WHERE catalog = 'precisions')
    -- what a repository holds is in one of the others
    OR policy = 'stored' AND EXISTS (FROM decisive WHERE catalog = 'precisions')
UNION ALL
SELECT 'workload', workload_ix FROM workloads
WHERE workload IN (SELECT entry FROM decisive WHERE catalog = 'workloads')
    OR kv_precision IN (SELECT entry FROM decisive WHERE catalog = 'kv_precisions')
    OR engine IN (SELECT split_part(entry, ' ', 1) FROM decisive WHERE catalog IN ('engines', 'reserves'));

-- name: same_inputs
CREATE TEMP TABLE same_gpus AS
SELECT n.gpu_ix, b.gpu_ix AS before_ix FROM gpus n JOIN previous.gpus b USING (gpu_id);

-- name: same_precisions
CREATE TEMP TABLE same_precisions AS
SELECT n.precision_ix, b.precision_ix AS before_ix FROM precisions n JOIN previous.precisions b USING (precision);

-- name: same_workloads
CREATE TEMP TABLE same_workloads AS
SELECT n.workload_ix, b.workload_ix AS before_ix FROM workloads n JOIN previous.workloads b USING (workload);

-- name: same_outcomes
CREATE TEMP TABLE same_outcomes AS
SELECT
    coalesce(n.outcome_ix, error('it has a verdict that is not known any more')) AS outcome_ix,
    b.outcome_ix AS before_ix
FROM previous.internal.outcomes b
LEFT JOIN internal.outcomes n
    ON n.verdict::VARCHAR = b.verdict::VARCHAR AND n.gpus_needed IS NOT DISTINCT FROM b.gpus_needed;

-- name: asked
-- Pairs whose decisions may differ: of another shape, by another method, or where the catalogs have other rows. The best way
-- is chosen out of all formats, so where one is another, all are asked for.
CREATE TEMP TABLE asked AS
SELECT DISTINCT
    pair_ix, shape_ix, before_shape_ix,
    NOT is_same_shape OR method_changed OR EXISTS (FROM internal.changed_inputs WHERE kind = 'precision') AS is_whole
FROM internal.model_pairs CROSS JOIN comparison
WHERE is_whole OR EXISTS (FROM internal.changed_inputs);
