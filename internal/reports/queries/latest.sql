-- The day's readings, each once. Delivery is at least once, and a replay makes readings again by the transform as it has become:
-- of the rows of an id, that counts which was ingested last. Ids are whoever's that sends them, so one device takes no
-- other's away.
SELECT *
FROM (
    SELECT *, row_number() OVER (PARTITION BY type, device, id ORDER BY ingested_at DESC) AS newest
    FROM readings
    WHERE day = ?
)
WHERE newest = 1
