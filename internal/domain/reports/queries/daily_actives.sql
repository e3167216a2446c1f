SELECT
    day,
    if(device IS NULL, 'client', 'device') AS source,
    count(DISTINCT coalesce(device, client)) AS actives
FROM latest
GROUP BY 1, 2
ORDER BY source
