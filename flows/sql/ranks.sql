-- Which precisions come first.

-- Which precision a person would choose: what loses least, of equals the one with more bits, then the one with a figure
-- of its own. The repository's own format where it says nothing of its bits, and what is wider than weights are
-- published in come last. Below four bits on the main weights nothing is chosen for anybody: see fit.
CREATE VIEW internal.precision_ranks AS
SELECT
    p.precision_ix,
    row_number() OVER (
        ORDER BY p.bits_per_weight > 16, q.quality_loss NULLS LAST, q.quality_bits DESC NULLS LAST,
            q.quality_basis <> 'published', p.precision_ix
    ) AS rank
FROM precisions p JOIN internal.qualities q USING (precision_ix)
WHERE p.bits_per_weight >= 4 OR p.policy = 'stored';

CREATE VIEW precision_ranks AS
SELECT
    r.rank, p.precision, q.quality_loss, q.quality_basis, q.quality_bits, p.quality_metric, p.quality_value,
    p.quality_reference, p.quality_source
FROM precisions p
JOIN internal.qualities q USING (precision_ix)
LEFT JOIN internal.precision_ranks r USING (precision_ix);

-- What a repository holds in fewer than 16 bits is run as it is: wider weights would have to be made of it and be no better,
-- others would lose twice.
CREATE VIEW internal.own_formats AS
SELECT s.shape_ix, t.precision_ix
FROM internal.shapes s
JOIN precisions p ON p.precision = s.stored_precision
CROSS JOIN (SELECT precision_ix FROM precisions WHERE policy = 'stored') t
WHERE p.bits_per_weight < 16;

-- The rank of a precision for a shape, before all others where it is the shape's own.
CREATE MACRO internal.rank_of_shape(rank, own) AS CASE WHEN own IS NOT NULL THEN 0 ELSE rank END;

-- One device before several, comfortable before tight, then the precision: outcomes are numbered in this order.
CREATE MACRO internal.preference(outcome_ix, rank, own) AS outcome_ix::INTEGER * 1000 + internal.rank_of_shape(rank, own);
