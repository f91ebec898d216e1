-- What deploy/quickstart shows of the newest pull, besides what `operator show latest` says. Works on any database of ours: psql -f deploy/lib/summary.sql
\set ON_ERROR_STOP on
select id as pull, started_at from pull order by id desc limit 1 \gset

\echo
\echo Top games
select row_number() over (order by sum(viewer_count) desc) as "#", coalesce(nullif(game_name, ''), '(no category)') as game,
       count(*) as streams, sum(viewer_count) as viewers
from pull_data where pull_id = :pull and pulled_at = :'started_at'
group by game_id, game_name order by viewers desc limit 10;

\echo
\echo Languages
select language, count(*) as streams, sum(viewer_count) as viewers,
       round(100 * sum(viewer_count) / nullif(sum(sum(viewer_count)) over (), 0), 1) as "% of viewers"
from pull_data where pull_id = :pull and pulled_at = :'started_at'
group by language order by viewers desc limit 8;

\echo
\echo How long a chunk waited for each stage, in seconds
select stage, count(*) as chunks,
       round(percentile_cont(0.5) within group (order by seconds)::numeric, 2) as "half within",
       round(percentile_cont(0.95) within group (order by seconds)::numeric, 2) as "95 % within",
       round(max(seconds), 2) as worst
from pull_chunk
cross join lateral (values
    (1, 'game-enricher', extract(epoch from games_at - stored_at)),
    (2, 'channel-enricher', extract(epoch from channels_at - games_at)),
    (3, 'finalizer', extract(epoch from merged_at - channels_at))) as wait (place, stage, seconds)
where pull_id = :pull and pulled_at = :'started_at'
group by place, stage order by place;

