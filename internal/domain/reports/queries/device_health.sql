SELECT
    day,
    device,
    count_if(type = 'measurement') AS measurements,
    count_if(type = 'boot') AS boots,
    min(battery) AS battery_min,
    avg(temperature) AS temperature_avg,
    max(temperature) AS temperature_max,
    max_by(firmware, row(at, id)) FILTER (WHERE firmware IS NOT NULL) AS firmware,
    max(at) AS last_at
FROM latest
WHERE type IN ('measurement', 'boot')
GROUP BY day, device
ORDER BY device
