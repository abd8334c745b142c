-- What `hubfit prices` has kept; empty where it was never asked.
CREATE TABLE price_history (
    provider VARCHAR,
    region VARCHAR,
    instance_type VARCHAR,
    kind VARCHAR,
    gpu VARCHAR,
    date DATE,
    usd_per_gpu_hour DOUBLE,
    gpu_count DOUBLE,
    basis VARCHAR,
    as_of DATE,
    source VARCHAR
);

CREATE TABLE price_unmapped (
    provider VARCHAR,
    gpu_name VARCHAR,
    device_memory_gib DOUBLE,
    offers BIGINT,
    usd_per_instance_hour DOUBLE,
    as_of DATE
);
