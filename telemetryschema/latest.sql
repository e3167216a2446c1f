-- The day's records, each once. Delivery is at least once, and a replay converts records again with
-- the current transform. Of the rows of an id, the one that was ingested last counts, and of those
-- the one with the latest time, so that a query has one result. Senders choose ids, so the device
-- is part of the key and no device replaces another's records.
SELECT *
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY type, device, id ORDER BY ingested_at DESC, at DESC
        ) AS newest
    FROM telemetry
    WHERE day = ?
)
WHERE newest = 1
