SELECT *
FROM (
    SELECT
        day,
        row_number() OVER (ORDER BY count_if(type = 'post_view') DESC, post) AS rank,
        post,
        count_if(type = 'post_view') AS views,
        count(DISTINCT if(type = 'post_view', client)) AS viewers,
        count_if(type = 'comment') AS comments
    FROM latest
    WHERE type IN ('post_view', 'comment')
    GROUP BY day, post
    HAVING count_if(type = 'post_view') > 0
)
WHERE rank <= 100
ORDER BY rank
