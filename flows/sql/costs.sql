-- What a device costs: rented by the hour, and bought with the years of policy.csv and the power that it draws.

CREATE VIEW current_prices AS
SELECT DISTINCT ON (gpu) gpu, usd_per_gpu_hour, provider, region, as_of, origin, age_days, is_stale
FROM prices
WHERE kind = 'on_demand' AND usd_per_gpu_hour IS NOT NULL AND gpu_count >= 1 -- slices are other devices
ORDER BY gpu, usd_per_gpu_hour, provider, region, as_of, instance_type;

-- Whoever needs three devices of an instance of four pays for four, and devices of one node are those of one instance: single
-- ones that are rented side by side share no model. Several instances are for what spans nodes. A table, for the cheapest of
-- all offers for each number of devices takes longer than most questions that ask for it.
CREATE TABLE option_prices AS
SELECT DISTINCT ON (gpu, devices)
    p.gpu,
    d.degree::INTEGER AS devices,
    ceil(d.degree / p.gpu_count)::INTEGER AS instances,
    p.gpu_count::INTEGER AS devices_per_instance,
    instances * p.gpu_count * p.usd_per_gpu_hour AS usd_per_hour,
    p.provider, p.region, p.instance_type, p.as_of, p.origin, p.age_days, p.is_stale
FROM prices p
JOIN gpus g ON g.gpu_id = p.gpu
CROSS JOIN (SELECT DISTINCT degree FROM internal.splits) d
WHERE p.kind = 'on_demand' AND p.usd_per_gpu_hour IS NOT NULL
    AND p.gpu_count >= greatest(1, least(d.degree, coalesce(g.max_gpus_per_node, 1)))
ORDER BY p.gpu, d.degree, usd_per_hour, p.gpu_count, p.provider, p.region, p.as_of, p.instance_type;

-- The same purchase as a plan takes: the lowest price of any basis, the older one of two that are equal.
CREATE VIEW current_purchases AS
SELECT
    gpu, usd_purchase, usd_purchase_high, devices_per_board, basis, as_of, origin, age_days, is_stale, source,
    usd_purchase / (amortisation_years * 12 * hours_per_month) AS usd_per_hour_of_price,
    drawn_watts / 1000 * power_usage_effectiveness * usd_per_kwh AS usd_per_hour_of_power,
    usd_per_hour_of_price + usd_per_hour_of_power AS usd_per_gpu_hour_owned
FROM (
    SELECT DISTINCT ON (p.gpu)
        p.gpu, p.usd_purchase, p.usd_purchase_high, p.gpu_count::INTEGER AS devices_per_board, p.basis, p.as_of,
        p.origin, p.age_days, p.is_stale, p.source,
        g.drawn_watts
    FROM prices p
    JOIN gpus g ON g.gpu_id = p.gpu
    WHERE p.kind = 'purchase'
    ORDER BY p.gpu, p.usd_purchase, p.as_of, p.source
)
CROSS JOIN (
    SELECT
        max(value) FILTER (parameter = 'hours_per_month') AS hours_per_month,
        max(value) FILTER (parameter = 'amortisation_years') AS amortisation_years,
        max(value) FILTER (parameter = 'usd_per_kwh') AS usd_per_kwh,
        max(value) FILTER (parameter = 'power_usage_effectiveness') AS power_usage_effectiveness
    FROM policy
);

-- A table, for every question about fit asks it: as views the two take a tenth of the time that such a question has.
CREATE TABLE internal.device_costs AS
SELECT
    gpu,
    devices,
    r.usd_per_hour,
    b.bought * b.usd_purchase AS usd_purchase,
    b.bought * b.usd_per_gpu_hour_owned AS usd_per_hour_owned
FROM option_prices r
FULL JOIN (
    SELECT
        b.*,
        d.degree::INTEGER AS devices,
        (ceil(d.degree / b.devices_per_board) * b.devices_per_board)::INTEGER AS bought -- no board is sold in part
    FROM current_purchases b CROSS JOIN (SELECT DISTINCT degree FROM internal.splits) d
) b USING (gpu, devices)
ORDER BY gpu, devices;
