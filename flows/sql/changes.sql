-- What differs from the previous published night. Filled by flows/changes, empty where there is nothing to compare with.

CREATE TABLE comparison (
    run_id VARCHAR,
    previous_run_id VARCHAR,
    previous_started_at TIMESTAMPTZ,
    is_compared BOOLEAN,
    reason VARCHAR,
    method_changed BOOLEAN,
    catalogs_changed BOOLEAN
);

INSERT INTO comparison BY NAME
SELECT max(run_id) AS run_id, false AS is_compared, 'no night was published before' AS reason FROM runs;

CREATE TABLE model_changes (
    model_id VARCHAR,
    change VARCHAR,
    detail VARCHAR,
    before VARCHAR,
    after VARCHAR,
    cause VARCHAR
);

CREATE TABLE catalog_changes (
    catalog VARCHAR,
    entry VARCHAR,
    field VARCHAR,
    before VARCHAR,
    after VARCHAR
);

CREATE TABLE price_changes (
    gpu VARCHAR,
    kind VARCHAR,
    usd_before DOUBLE,
    usd_after DOUBLE,
    provider_before VARCHAR,
    provider_after VARCHAR,
    as_of_before DATE,
    as_of_after DATE
);

-- Decisions belong to shapes, so what became of them belongs to pairs of shapes: that of a model then, and now.
CREATE TABLE internal.model_pairs (
    model_id VARCHAR,
    before_model_id VARCHAR,
    pair_ix UINTEGER,
    shape_ix UINTEGER,
    before_shape_ix UINTEGER,
    is_same_shape BOOLEAN,
    cause VARCHAR
);

-- Rows of catalogs that verdicts depend on and that changed: precision, workload or gpu, by today's number.
CREATE TABLE internal.changed_inputs (
    kind VARCHAR,
    input_ix USMALLINT
);

CREATE TABLE internal.verdict_changes (
    pair_ix UINTEGER,
    precision_ix USMALLINT,
    workload_ix UTINYINT,
    gpu_ix USMALLINT,
    before_outcome_ix UTINYINT,
    outcome_ix UTINYINT
);

-- The best way then and now, where one of the verdicts behind it changed; null where nothing runs.
CREATE TABLE internal.device_changes (
    pair_ix UINTEGER,
    workload_ix UTINYINT,
    gpu_ix USMALLINT,
    before_precision_ix USMALLINT,
    before_outcome_ix UTINYINT,
    precision_ix USMALLINT,
    outcome_ix UTINYINT
);

-- Of all that an answer is made of, what changed: one of them is the cause, several leave it open.
CREATE MACRO internal.causes(of_model, is_catalog, is_method) AS nullif(concat_ws(
    ' or ', of_model, CASE WHEN is_catalog THEN 'catalog' END, CASE WHEN is_method THEN 'method' END
), '');

CREATE MACRO internal.outcome_words(verdict, gpus_needed) AS
    verdict::VARCHAR || CASE WHEN gpus_needed > 1 THEN ' over ' || gpus_needed ELSE '' END;

CREATE MACRO internal.is_changed(what, number) AS
    number IN (SELECT input_ix FROM internal.changed_inputs WHERE kind = what);

CREATE VIEW verdict_changes AS
SELECT
    m.model_id,
    p.precision,
    w.workload,
    g.gpu_id AS gpu,
    b.verdict AS verdict_before,
    b.gpus_needed AS gpus_before,
    t.verdict AS verdict_after,
    t.gpus_needed AS gpus_after,
    internal.causes(
        m.cause,
        internal.is_changed('precision', v.precision_ix) OR internal.is_changed('workload', v.workload_ix)
            OR internal.is_changed('gpu', v.gpu_ix),
        c.method_changed
    ) AS cause
FROM internal.verdict_changes v
JOIN internal.model_pairs m USING (pair_ix)
JOIN precisions p USING (precision_ix)
JOIN workloads w USING (workload_ix)
JOIN gpus g USING (gpu_ix)
JOIN internal.outcomes b ON b.outcome_ix = v.before_outcome_ix
JOIN internal.outcomes t ON t.outcome_ix = v.outcome_ix
CROSS JOIN comparison c;

CREATE VIEW device_changes AS
SELECT
    m.model_id,
    w.workload,
    g.gpu_id AS gpu,
    CASE
        WHEN d.before_outcome_ix IS NULL THEN 'runs now'
        WHEN d.outcome_ix IS NULL THEN 'runs no longer'
        WHEN d.outcome_ix < d.before_outcome_ix THEN 'runs better'
        WHEN d.outcome_ix > d.before_outcome_ix THEN 'runs worse'
        ELSE 'runs in another precision'
    END AS change,
    q.precision AS precision_before,
    b.verdict AS verdict_before,
    b.gpus_needed AS gpus_before,
    p.precision AS precision_after,
    t.verdict AS verdict_after,
    t.gpus_needed AS gpus_after,
    internal.causes(
        m.cause,
        coalesce(internal.is_changed('precision', d.precision_ix), false)
            OR coalesce(internal.is_changed('precision', d.before_precision_ix), false)
            OR internal.is_changed('workload', d.workload_ix) OR internal.is_changed('gpu', d.gpu_ix),
        c.method_changed
    ) AS cause
FROM internal.device_changes d
JOIN internal.model_pairs m USING (pair_ix)
JOIN workloads w USING (workload_ix)
JOIN gpus g USING (gpu_ix)
LEFT JOIN precisions q ON q.precision_ix = d.before_precision_ix
LEFT JOIN precisions p ON p.precision_ix = d.precision_ix
LEFT JOIN internal.outcomes b ON b.outcome_ix = d.before_outcome_ix
LEFT JOIN internal.outcomes t ON t.outcome_ix = d.outcome_ix
CROSS JOIN comparison c;

CREATE VIEW changes AS
SELECT
    model_id, change, detail, before, after,
    NULL::VARCHAR AS precision, NULL::VARCHAR AS workload, NULL::VARCHAR AS gpu, cause
FROM model_changes
UNION ALL
SELECT
    model_id, 'verdict', NULL,
    internal.outcome_words(verdict_before, gpus_before), internal.outcome_words(verdict_after, gpus_after),
    precision, workload, gpu, cause
FROM verdict_changes
UNION ALL
SELECT NULL, 'price', kind, usd_before::VARCHAR, usd_after::VARCHAR, NULL, NULL, gpu, 'price' FROM price_changes
UNION ALL
SELECT
    NULL, 'catalog', concat_ws(' ', catalog, entry, field), before, after,
    CASE WHEN catalog = 'precisions' THEN entry END,
    CASE WHEN catalog = 'workloads' THEN entry END,
    CASE WHEN catalog = 'gpus' THEN entry END,
    'catalog'
FROM catalog_changes;
