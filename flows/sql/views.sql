-- Questions that people ask of the fit, the models and the catalogs.

-- What the seed calculators print: equal for models of one shape, so kept once for each of those.
CREATE VIEW calculators AS
SELECT m.model_id, c.precision, c.calculator, c.quantity, c.bytes
FROM internal.calculators c
JOIN internal.shapes s USING (shape_ix)
JOIN models m USING (shape_id);

-- can-it-run-llm divides its need by the advertised memory of a device: one row for each of our devices.
CREATE VIEW calculator_gpus AS
SELECT
    c.model_id,
    c.precision,
    c.quantity,
    g.gpu_id AS gpu,
    ceil(c.bytes / 1073741824 / g.memory_gib_nominal)::BIGINT AS gpus_needed
FROM calculators c CROSS JOIN gpus g
WHERE c.calculator = 'can_it_run';

-- The best way to run a shape on a device.
CREATE VIEW internal.best AS
SELECT
    f.workload_ix,
    f.gpu_ix,
    f.shape_ix,
    arg_min(f.precision_ix, internal.preference(f.outcome_ix, r.rank, o.shape_ix)) AS precision_ix,
    min(f.outcome_ix) AS outcome_ix
FROM internal.fit f
JOIN internal.precision_ranks r USING (precision_ix)
LEFT JOIN internal.own_formats o ON o.shape_ix = f.shape_ix AND o.precision_ix = f.precision_ix
WHERE f.outcome_ix IN (SELECT outcome_ix FROM internal.outcomes WHERE gpus_needed IS NOT NULL)
GROUP BY ALL;

CREATE VIEW best_fit AS FROM internal.fit_of('internal.best');

CREATE VIEW fitting AS FROM fit WHERE verdict IN ('fits', 'tight', 'sharded');

-- The cheapest way to run a shape that is sure to: alone or over several devices, at the upper end of the estimate. Ways are
-- numbered by their price; on the devices of the cheapest the precision is that of internal.best.
-- `decisions` names a table with the keys of internal.fit; the report has a shortlist of them at hand.
CREATE MACRO internal.cheapest_of(decisions) AS TABLE
WITH ways AS (
    SELECT
        g.gpu_ix,
        t.outcome_ix,
        row_number() OVER (ORDER BY c.usd_per_hour, t.gpus_needed, g.gpu_ix) AS place
    FROM option_prices c JOIN gpus g ON g.gpu_id = c.gpu JOIN internal.outcomes t ON t.gpus_needed = c.devices
    WHERE t.verdict IN ('fits', 'sharded')
),
found AS (
    SELECT workload_ix, shape_ix, min(place) AS place, arg_min(precision_ix, place * 1000 + rank) AS precision_ix
    FROM (
        SELECT
            f.workload_ix, f.shape_ix, w.place, f.precision_ix,
            internal.rank_of_shape(r.rank, o.shape_ix) AS rank
        FROM query_table(decisions) f
        JOIN ways w USING (gpu_ix, outcome_ix)
        JOIN internal.precision_ranks r USING (precision_ix)
        LEFT JOIN internal.own_formats o ON o.shape_ix = f.shape_ix AND o.precision_ix = f.precision_ix
    )
    GROUP BY ALL
)
SELECT n.workload_ix, w.gpu_ix, n.shape_ix, n.precision_ix, w.outcome_ix FROM found n JOIN ways w USING (place);

CREATE VIEW internal.cheapest AS FROM internal.cheapest_of('internal.fit');

CREATE MACRO internal.cheapest_assured_of(decisions) AS TABLE
SELECT
    f.model_id, f.workload, f.context_tokens, f.gpu, f.gpus_needed, f.precision, f.parallelism, f.verdict,
    f.usd_per_hour, f.usd_per_hour_owned, f.usd_per_million_tokens, f.total_tokens_per_second, f.speed_confidence,
    f.required_bytes_high, f.assured_bytes, f.confidence,
    c.instances, c.devices_per_instance, c.provider, c.region, c.instance_type,
    c.as_of, c.age_days, c.origin, c.is_stale
FROM internal.fit_of(decisions) f JOIN option_prices c ON c.gpu = f.gpu AND c.devices = f.gpus_needed;

CREATE VIEW cheapest_assured AS FROM internal.cheapest_assured_of('internal.cheapest');

-- Models of a shape share its decisions, so what is counted is counted by shape, without the plans behind `fit`.
CREATE VIEW internal.models_of_shape AS
SELECT
    s.shape_ix,
    count(*) AS models,
    max(m.parameters) AS parameters,
    -- copies of a model are equally large: the first id decides, every night the same
    arg_max(m.model_id, (coalesce(m.parameters, -1), -m.order_ix)) AS model_id,
    arg_max(-m.order_ix, (coalesce(m.parameters, -1), -m.order_ix)) AS precedence
FROM (SELECT *, row_number() OVER (ORDER BY model_id) AS order_ix FROM models) m
JOIN internal.shapes s USING (shape_id)
GROUP BY s.shape_ix;

-- Like fit_of: `decisions` names a table with the keys of internal.best, which the report has at hand.
CREATE MACRO internal.models_per_gpu_of(decisions) AS TABLE
SELECT
    g.gpu_id AS gpu,
    w.workload,
    coalesce(sum(m.models) FILTER (t.verdict IN ('fits', 'tight')), 0)::BIGINT AS models_on_one,
    coalesce(sum(m.models) FILTER (t.verdict = 'sharded'), 0)::BIGINT AS models_sharded
FROM query_table(decisions) b
JOIN internal.outcomes t USING (outcome_ix)
JOIN internal.models_of_shape m USING (shape_ix)
JOIN gpus g USING (gpu_ix)
JOIN workloads w USING (workload_ix)
GROUP BY g.gpu_id, w.workload;

CREATE VIEW models_per_gpu AS FROM internal.models_per_gpu_of('internal.best');

CREATE MACRO internal.largest_per_gpu_of(decisions) AS TABLE
SELECT
    g.gpu_id AS gpu,
    w.workload,
    arg_max(m.model_id, (m.parameters, m.precedence)) AS model_id,
    arg_max(p.precision, (m.parameters, m.precedence)) AS precision,
    max(m.parameters) AS parameters
FROM query_table(decisions) b
JOIN internal.outcomes t USING (outcome_ix)
JOIN internal.models_of_shape m USING (shape_ix)
JOIN gpus g USING (gpu_ix)
JOIN workloads w USING (workload_ix)
JOIN precisions p USING (precision_ix)
WHERE t.verdict = 'fits' AND m.parameters IS NOT NULL
GROUP BY g.gpu_id, w.workload;

CREATE VIEW largest_per_gpu AS FROM internal.largest_per_gpu_of('internal.best');

-- The order of models, best first: by a site's score, those without one behind by effective parameters. `tier` is the
-- same for models between which neither decides; then the precision does, and last the place.
CREATE VIEW internal.model_order AS
SELECT
    *,
    dense_rank() OVER (
        ORDER BY score DESC NULLS LAST, CASE WHEN score IS NULL THEN effective_parameters END DESC NULLS LAST,
            CASE WHEN score IS NULL THEN parameters END DESC NULLS LAST
    ) AS tier,
    row_number() OVER (ORDER BY downloads DESC NULLS LAST, model_id) AS place
FROM (
    SELECT
        m.model_id, s.shape_ix, m.kind, m.parameters, m.downloads, c.score, c.benchmark,
        CASE WHEN c.score IS NULL THEN 'parameters' ELSE 'score' END AS ranked_by,
        -- of a model whose tokens use all of it, the two are one number
        round(sqrt(m.parameters::DOUBLE * m.active_parameters))::BIGINT AS effective_parameters
    FROM models m JOIN internal.shapes s USING (shape_id) LEFT JOIN scores c USING (model_id)
    WHERE c.score IS NOT NULL OR m.parameters IS NOT NULL
);

CREATE MACRO internal.best_models_of(decisions) AS TABLE
SELECT
    g.gpu_id AS gpu,
    w.workload,
    o.kind,
    row_number() OVER (
        PARTITION BY g.gpu_id, w.workload, o.kind ORDER BY o.tier, r.rank, o.place
    ) AS rank,
    o.model_id,
    p.precision,
    o.ranked_by,
    o.score,
    o.benchmark,
    o.effective_parameters,
    o.parameters,
    q.quality_loss,
    q.quality_basis
FROM query_table(decisions) b
JOIN internal.outcomes t USING (outcome_ix)
JOIN internal.model_order o USING (shape_ix)
JOIN internal.precision_ranks r USING (precision_ix)
JOIN internal.qualities q USING (precision_ix)
JOIN precisions p USING (precision_ix)
JOIN gpus g USING (gpu_ix)
JOIN workloads w USING (workload_ix)
WHERE t.verdict = 'fits';

CREATE VIEW best_models AS FROM internal.best_models_of('internal.best');

-- Scores that rank nothing.
CREATE VIEW unused_scores AS
SELECT
    c.model_id, c.score, c.benchmark,
    CASE WHEN e.model_id IS NULL THEN 'not listed' ELSE 'could not be read' END AS reason
FROM scores c
ANTI JOIN models m ON m.model_id = c.model_id
LEFT JOIN (SELECT DISTINCT model_id FROM model_errors) e ON e.model_id = c.model_id;

CREATE VIEW precision_reach AS
SELECT
    p.precision,
    r.workload,
    coalesce(sum(m.models) FILTER (r.is_on_one), 0)::BIGINT AS models_on_one,
    sum(m.models)::BIGINT AS models
FROM (
    SELECT f.shape_ix, f.precision_ix, w.workload, bool_or(t.gpus_needed = 1) AS is_on_one
    FROM internal.fit f JOIN workloads w USING (workload_ix) JOIN internal.outcomes t USING (outcome_ix)
    GROUP BY f.shape_ix, f.precision_ix, w.workload
) r
JOIN internal.models_of_shape m USING (shape_ix)
JOIN precisions p USING (precision_ix)
GROUP BY p.precision, r.workload;

CREATE VIEW error_summary AS
SELECT stage, kind, is_transient, count(*) AS models FROM model_errors GROUP BY ALL;

CREATE VIEW unknowns AS
SELECT
    m.model_id,
    m.model_type,
    m.kind,
    concat_ws(
        ', ',
        CASE WHEN m.parameters IS NULL THEN 'parameters' END,
        CASE WHEN s.p_attn IS NULL AND m.kind NOT IN ('diffusion', 'adapter') THEN 'components' END,
        CASE WHEN s.kv_full_elements_per_token IS NULL AND m.kind NOT IN ('encoder', 'diffusion', 'adapter') THEN 'cache' END,
        CASE WHEN m.stored_bytes IS NULL THEN 'stored bytes' END,
        CASE WHEN m.stored_precision IS NULL AND m.kind <> 'diffusion' THEN 'stored precision' END
    ) AS unknown,
    m.notes
FROM models m JOIN internal.shapes s USING (shape_id)
WHERE unknown <> '';

CREATE VIEW coverage AS
SELECT
    m.kind,
    count(*) AS models,
    count(m.parameters) AS parameters_known,
    count(*) FILTER (m.confidence = 'exact') AS parameters_exact,
    count(s.kv_full_elements_per_token) AS cache_known,
    count(m.stored_bytes) AS stored_bytes_known
FROM models m JOIN internal.shapes s USING (shape_id)
GROUP BY m.kind;

-- What the answers of a workload take for granted, in words: its own columns and the constants of its engine. A row of a training
-- workload says nothing of caches, and the other way round.
CREATE VIEW assumptions AS
SELECT workload, subject, assumption
FROM (
    SELECT
        w.workload, w.mode,
        UNNEST([
            {'subject': 'engine', 'assumption': w.engine || ' ' || CASE WHEN e.version_range = 'any' THEN 'of any version'
                ELSE e.version_range END},
            {'subject': 'memory', 'assumption': CASE
                WHEN w.mode = 'training' THEN 'all that a process can count on'
                WHEN w.engine = 'sglang' THEN 'less what the engine leaves to batches and graphs, as in reserves'
                WHEN w.engine = 'trtllm' THEN 'the cache has 0.9 of what is left'
                WHEN e.memory_utilization < 1 THEN format('{} of a device is given to the engine', e.memory_utilization)
                ELSE 'all that a process can count on' END},
            {'subject': 'length', 'assumption': format('{} tokens, or the model''s own limit where that is lower', w.context_tokens)},
            {'subject': 'sequences', 'assumption': format(
                CASE WHEN w.mode = 'training' THEN '{} in the micro-batch of each device' ELSE '{} at once' END,
                w.concurrent_sequences
            )},
            {'subject': 'devices', 'assumption': CASE WHEN w.max_gpus = 1 THEN 'one' ELSE concat(
                CASE WHEN w.max_gpus IS NULL THEN 'any number of ' ELSE format('at most {} of ', w.max_gpus) END,
                CASE WHEN w.max_nodes > 1 THEN format('{} nodes', w.max_nodes) ELSE 'one node' END
                ) END},
            {'subject': 'host memory', 'assumption': CASE WHEN w.host_memory_gib IS NULL THEN 'none is used'
                ELSE format('{} GiB', w.host_memory_gib) END},
            {'subject': 'price', 'assumption': 'devices are at work all the time; input tokens cost nothing besides'},
            CASE WHEN w.mode = 'inference' THEN
                {'subject': 'cache', 'assumption': w.kv_precision || CASE
                    WHEN contains(coalesce(w.engine_options, ''), 'full_window') THEN ', whole in layers with a window'
                    ELSE ', of the window in layers with one' END}
            END,
            CASE WHEN w.mode = 'inference' THEN
                {'subject': 'attention', 'assumption': CASE
                    WHEN contains(coalesce(w.engine_options, ''), 'no_flash_attention') THEN 'all scores are kept'
                    ELSE 'no scores are kept where a kernel of the engine can' END}
            END,
            CASE WHEN w.mode = 'inference' THEN
                {'subject': 'prediction', 'assumption': CASE WHEN w.speculative_tokens IS NULL
                    THEN 'a token a step; blocks that predict more are not loaded'
                    ELSE format('{} tokens ahead, {} of them right', w.speculative_tokens, w.acceptance) END}
            END,
            CASE WHEN w.mode = 'inference' THEN
                {'subject': 'towers', 'assumption': CASE
                    WHEN w.engine = 'llamacpp' THEN 'in a file of their own, which is not counted beside a known GGUF file'
                    ELSE 'loaded whole on every device' END || '; pictures and sound count as tokens of the prompt'}
            END,
            CASE WHEN w.mode = 'training' THEN
                {'subject': 'training', 'assumption': concat_ws(
                    ', ', w.method, coalesce(w.recipe, 'mixed'), coalesce(w.objective, 'sft'), w.optimizer, w.sharding,
                    CASE WHEN w.lora_rank IS NOT NULL
                        THEN format('rank {} on {}', w.lora_rank, coalesce(w.lora_targets, 'all_linear')) END
                )}
            END,
            CASE WHEN w.mode = 'training' THEN
                {'subject': 'step', 'assumption': concat_ws(
                    ', ',
                    CASE WHEN w.gradient_checkpointing THEN 'layers are computed twice' ELSE 'activations are kept' END,
                    CASE WHEN w.gradient_accumulation THEN 'gradients are kept' ELSE 'one micro-batch a step' END,
                    coalesce(w.loss, 'plain') || ' loss'
                )}
            END
        ], recursive := true)
    FROM workloads w
    LEFT JOIN engines e ON e.engine = w.engine AND e.memory_tier = '70_to_160_gib' AND e.is_default
)
WHERE subject IS NOT NULL;
