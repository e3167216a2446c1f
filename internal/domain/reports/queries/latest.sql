-- The day's readings, each once. Delivery is at least once, and a replay makes readings again by the transform as it has become:
-- of the rows of an id, that counts which was ingested last, and of those which is latest, so that a query has one answer. Ids
-- are chosen by the senders, so a device takes none away from another.
SELECT *
FROM (
    SELECT *, row_number() OVER (PARTITION BY type, device, id ORDER BY ingested_at DESC, at DESC) AS newest
    FROM telemetry
    WHERE day = ?
)
WHERE newest = 1
