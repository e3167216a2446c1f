, steps (step, type) AS (
    VALUES (1, 'app_open'), (2, 'post_view'), (3, 'sign_up'), (4, 'comment')
),
clients AS (
    -- The last step that each client reached: its events in order of time, each of which may be the
    -- next step.
    SELECT
        day,
        reduce(
            array_agg(step ORDER BY at, step),
            0,
            (reached, step) -> if(step = reached + 1, step, reached),
            reached -> reached
        ) AS reached
    FROM latest
    JOIN steps USING (type)
    -- For the planner, so that it reads no other partitions:
    WHERE type IN ('app_open', 'post_view', 'sign_up', 'comment')
    GROUP BY day, client
)
SELECT
    day,
    CAST(step AS bigint) AS step,
    type,
    count_if(reached >= step) AS clients
FROM clients
CROSS JOIN steps
WHERE reached > 0
GROUP BY day, step, type
ORDER BY step
