-- What a device costs: rented by the hour, and bought with the years of policy.csv and the power that it draws.

CREATE VIEW current_prices AS
SELECT
    gpu,
    min(usd_per_gpu_hour) AS usd_per_gpu_hour,
    arg_min(provider, (usd_per_gpu_hour, provider, region)) AS provider,
    arg_min(region, (usd_per_gpu_hour, provider, region)) AS region,
    arg_min(as_of, (usd_per_gpu_hour, provider, region)) AS as_of,
    arg_min(origin, (usd_per_gpu_hour, provider, region)) AS origin,
    arg_min(age_days, (usd_per_gpu_hour, provider, region)) AS age_days,
    arg_min(is_stale, (usd_per_gpu_hour, provider, region)) AS is_stale
FROM prices
WHERE kind = 'on_demand' AND usd_per_gpu_hour IS NOT NULL AND gpu_count >= 1 -- slices are other devices
GROUP BY gpu;

-- The same purchase as a plan takes: the lowest price of any basis, the older one of two that are equal.
CREATE VIEW current_purchases AS
SELECT
    gpu, usd_purchase, usd_purchase_high, basis, as_of, origin, age_days, is_stale, source,
    usd_purchase / (amortisation_years * 12 * hours_per_month) AS usd_per_hour_of_price,
    watts / 1000 * power_share * power_usage_effectiveness * usd_per_kwh AS usd_per_hour_of_power,
    usd_per_hour_of_price + usd_per_hour_of_power AS usd_per_gpu_hour_owned
FROM (
    SELECT DISTINCT ON (p.gpu)
        p.gpu, p.usd_purchase, p.usd_purchase_high, p.basis, p.as_of, p.origin, p.age_days, p.is_stale, p.source,
        g.tdp_watts / g.devices_per_board AS watts
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
        max(value) FILTER (parameter = 'power_usage_effectiveness') AS power_usage_effectiveness,
        max(value) FILTER (parameter = 'power_share') AS power_share
    FROM policy
);

-- A table, for every question about fit asks it: the two views take a tenth of the time that such a question has.
CREATE TABLE internal.device_costs AS
SELECT gpu, r.usd_per_gpu_hour, b.usd_purchase, b.usd_per_gpu_hour_owned
FROM current_prices r
FULL JOIN current_purchases b USING (gpu)
ORDER BY gpu;
