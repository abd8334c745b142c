-- How far predictions are from measurements.
CREATE VIEW accuracy AS
SELECT
    engine,
    component,
    split,
    count(*) AS measurements,
    count(relative_error) AS predicted,
    median(abs(relative_error)) AS median_error,
    max(abs(relative_error)) AS worst_error,
    arg_max(measurement, (abs(relative_error), measurement)) FILTER (relative_error IS NOT NULL) AS worst
FROM validation
WHERE component <> 'copy'
GROUP BY ALL;
