-- A month of the flow, from its schema alone: one pull under way, one of 97 failed, dead letters, a stage that a
-- person has paused. What the settings `world.…` say is how much of each; see console_world.rs.
--
-- Every pull has all its chunks. The newest eight have whole pages and rows too, older ones 40 rows each and empty pages:
-- a month of rows would be 80 million, and no page of the console reads more than one pull's.
set client_min_messages = warning;
set synchronous_commit = off;

create temporary table scale as
select current_setting('world.pulls')::int as pulls, current_setting('world.chunks')::int as chunks,
       current_setting('world.days')::int as days, current_setting('world.dead_letters')::int as dead_letters,
       current_setting('world.causes')::int as causes, current_setting('world.events')::int as events;

select count(ensure_partitions(now() - n * interval '1 day')) from scale, generate_series(0, days + 1) n;

insert into pull (status, slot, requested_by, started_at, extracted_at, completed_at, stop_reason, error, pages, fetched, stored,
    rejected, duplicates, chunks, games_added, games_missing, channels_filled, channels_missing, helix_calls, settings)
select status, case when n % 13 > 0 then at end, case when n % 13 > 0 then 'schedule' else 'ada' end, at,
    case when not open then at + interval '50 s' end, case when not open then at + interval '75 s' end,
    case when not open then 'min_viewers' end, case when failed then 'chunk 120 at channel-enricher: Twitch answered 503' end,
    chunks, 100 * chunks, 94 * chunks, 4 * chunks, 2 * chunks, chunks,
    case when not open and not failed then 3 end, case when not open and not failed then 1 end,
    case when not open and not failed then 93 * chunks end, case when not open and not failed then chunks end, 2 * chunks,
    '{"min_viewers": 10, "max_pages": 0, "stop_below_min_viewers": true, "schedule": "every 10m", "build": "0.1.0"}'
from (select n, chunks, n = pulls as open, n % 97 = 17 and n < pulls as failed,
             date_trunc('minute', now()) - (pulls - n) * (make_interval(days => days) / pulls) as at
      from scale, generate_series(1, pulls) n) p,
     lateral (select case when open then 'filling-games' when failed then 'failed' else 'success' end as status) s
order by n;

create temporary table recent as select id as pull_id from pull order by id desc limit 8;

-- Of a pull that failed half the chunks lack their channels; of the one under way the later ones lack more than the first.
insert into pull_chunk (pull_id, pulled_at, chunk, page, rejects, rejected_by_rule, game_ids, channel_ids, fetched, stored, rejected,
    duplicates, stored_at, games_at, channels_at, merged_at, channels_filled, channels_missing, failed_stage, failed_at, failure,
    helix_calls)
select p.id, p.started_at, c, coalesce(page, '[]'), rejects, '{"viewers.low": 3, "title.empty": 1}', '{}', '{}', 100, 94, 4, 2,
    p.started_at + c * interval '250 ms',
    case when done >= 1 then p.started_at + c * interval '260 ms' end, case when done >= 2 then p.started_at + c * interval '300 ms' end,
    case when done >= 3 then p.started_at + c * interval '350 ms' end, case when done >= 3 then 93 end, case when done >= 3 then 1 end,
    case when failed then 'channel-enricher' end, case when failed then p.started_at + interval '60 s' end,
    case when failed then 'Twitch answered 503 (Service Unavailable) to the request to /users' end, 1
from pull p cross join lateral generate_series(1, p.chunks) c
    cross join lateral (select p.status = 'failed' and 2 * c > p.chunks as failed) f
    cross join lateral (select case when failed then 1 when p.completed_at is not null then 3 else 3 - 4 * c / (p.chunks + 1) end as done) d
    left join recent r on r.pull_id = p.id
    left join lateral (
        select json_agg(json_build_object(
            'id', (41000000000 + c * 100 + i)::text, 'user_id', (100000 + c * 100 + i)::text, 'user_login', 'channel_' || c * 100 + i,
            'user_name', 'Channel_' || c * 100 + i, 'game_id', case when i % 19 = 0 then '' else (500 + c * i % 300)::text end,
            'game_name', 'Game ' || c * i % 300, 'type', 'live', 'title', repeat('A title of usual length, ', 3) || i,
            'viewer_count', 20000 / c + i, 'started_at', p.started_at - interval '2 h', 'language', (array['en', 'de', 'fr', 'ja'])[1 + i % 4],
            'thumbnail_url', 'https://static.example/previews/live_user_' || i || '-{width}x{height}.jpg',
            'tags', array['English', 'Chill'], 'is_mature', false)) as page
        from generate_series(1, 94) i where r.pull_id is not null) k on true
    left join lateral (
        select json_agg(json_build_object('place', 96 + i, 'rule', case when i < 4 then 'viewers.low' else 'title.empty' end,
            'detail', 'viewer_count is 3, and at least 10 are wanted', 'raw', '{"id":"' || 42000000000 + c * 100 + i || '","title":""}'))::text as rejects
        from generate_series(1, 4) i where r.pull_id is not null) b on true;

insert into pull_data (pull_id, pulled_at, stream_id, chunk, channel_id, channel_login, channel_name, game_id, game_name, viewer_count,
    language, started_at, type, title, tags, is_mature, data)
select c.pull_id, c.pulled_at, s->>'id', c.chunk, s->>'user_id', s->>'user_login', s->>'user_name', nullif(s->>'game_id', ''), s->>'game_name',
    (s->>'viewer_count')::int, s->>'language', (s->>'started_at')::timestamptz, 'live', s->>'title', '{English,Chill}'::text[], false,
    s::jsonb || jsonb_build_object('game', jsonb_build_object('id', s->>'game_id', 'name', s->>'game_name', 'box_art_url', '', 'igdb_id', ''),
        'channel', jsonb_build_object('id', s->>'user_id', 'login', s->>'user_login', 'description', repeat('About this channel. ', 10)))
from pull_chunk c, json_array_elements(c.page) s where c.merged_at is not null
union all
select p.id, p.started_at, (41000000000 + n * 100)::text, 1 + n % p.chunks, (100000 + n * 100)::text, 'channel_' || n, 'Channel_' || n, '500',
    'Game 0', 10 * n, 'en', p.started_at - interval '2 h', 'live', 'A title', '{}', false, '{}'::jsonb
from pull p, generate_series(1, 40) n where p.id not in (select pull_id from recent);

insert into provenance (pull_id, pulled_at, chunk, at, stage, action, calls, build)
select c.pull_id, c.pulled_at, c.chunk, c.stored_at, stage, action, 1, '0.1.0'
from (select id from pull order by id desc limit 100) p join pull_chunk c on c.pull_id = p.id,
     (values ('extractor', 'RECEIVE'), ('game-enricher', 'FETCH'), ('channel-enricher', 'FETCH'), ('finalizer', 'CONTENT_MODIFIED')) s (stage, action)
where c.merged_at is not null;

insert into pull_history (pull_id, at, event, error, build, stored, rejected)
select id, completed_at, status, error, '0.1.0', stored, rejected from pull where completed_at is not null;
insert into pull_rerun (pull_id, at, by, from_stage, build, was_status)
select id, completed_at + interval '1 h', 'ada', 'finalizer', '0.1.0', 'success' from pull where id % 50 = 3;

insert into twitch_game (game_id, name, box_art_url, igdb_id, fetched_at, first_pull_id)
select (500 + n)::text, 'Game ' || n, '', '', now(), 1 from generate_series(0, 299) n;
insert into twitch_channel (channel_id, login, display_name, profile_image_url, offline_image_url, view_count, broadcaster_type,
    description, fetched_at, first_pull_id)
select (100000 + n)::text, 'channel_' || n, 'Channel_' || n, '', '', 0, '', repeat('About this channel. ', 10), now(), 1
from generate_series(1, 20000) n;

insert into missed_slot (slot, reason, recorded_at)
select date_trunc('hour', now()) - n * interval '2 h' + interval '7 min', 'overlap: pull 2 is still filling-channels', now()
from scale, generate_series(1, days * 10) n;
insert into stage_pause (stage, paused_by, reason, paused_at) values
    ('channel-enricher', 'ada', 'Twitch refuses our credentials', now() - interval '12 min');
insert into worker_state (stage, replica, build, host, state, code, reason, since, in_hand, points_left, points_limit, seen_at)
select stage, stage || '-' || n, '0.1.0', 'node-' || n, state, case when state = 'paused' then 'helix.forbidden' end,
    case when state = 'paused' then 'Twitch refuses our credentials (401): is TWITCH_CLIENT_SECRET right?' end,
    now() - interval '12 min', 7 * n, 700, 800, now() + interval '10 h'
from unnest(array['extractor', 'game-enricher', 'channel-enricher', 'finalizer']) stage, generate_series(1, 2) n,
     lateral (select case when stage = 'channel-enricher' then 'paused' else 'consuming' end as state) s;
insert into stage_retry (stage, message_id, pull_id, chunk, attempts, code, message, first_failed_at, last_failed_at, retry_at)
select 'game-enricher', 'message ' || n, (select max(id) from pull), n, 4, 'helix.server_error',
    'Twitch answered 503 (Service Unavailable) to the request to /games', now() - interval '14 min', now(), now() + interval '4 min'
from generate_series(1, 300) n;

-- Beside the dead letters that are open: those that were sent back and handled, and those that were discarded.
insert into dead_letter (letter, queue, stage, class, code, message, causes, fingerprint, attempts, first_failed_at, last_failed_at,
    build, host, generation, message_id, kind, pull_id, chunk, properties, body, state, state_at, queued_at)
select 'letter ' || n, stage || '.dead', stage, 'permanent', 'helix.bad_request',
    'Twitch rejected the request to /users (400): cause ' || n % causes, 'the id "' || n || '" is no number', md5((n % causes)::text)::char(16), 6,
    at - interval '5 min', at, '0.1.0', 'node-3', n % 3, 'message ' || n, 'GamesFilled', 1 + n % pulls, 1 + n % chunks,
    '{"content_type": "application/json", "message_id": "1f0c3bd2-4a4a-7a4e-8d3c-6f1f5f1f7a11", "headers": {"flow-attempt": 6, "flow-letter": "letter"}}',
    convert_to('{"pull_id": 2, "pulled_at": "2026-07-12T10:00:00Z", "chunk": 1}', 'UTF8'),
    case when n > dead_letters then case n % 4 when 0 then 'discarded' else 'cured' end when n % 500 = 0 then 'held' else 'dead' end, at, at
from scale, generate_series(1, dead_letters + dead_letters / 4) n,
     lateral (select (array['game-enricher', 'channel-enricher', 'finalizer'])[1 + n % causes % 3] as stage,
                     now() - n * (make_interval(days => days) / (dead_letters * 5 / 4)) as at) s
order by at;
insert into dead_letter_event (letter_id, at, by, event, detail)
select id, last_failed_at, stage, 'died', code from dead_letter
union all
select id, state_at, 'ada', 'discarded', '' from dead_letter where state = 'discarded'
union all
select id, state_at, 'build 0.1.0', 'done', 'its replay was handled' from dead_letter where state = 'cured';
insert into alarm_watch (queue, letters) select queue, letters from dead_letter_depth;
insert into dead_letter_note (fingerprint, owner, note, by, at)
select md5(n::text)::char(16), 'ada', 'Waits for Twitch ticket 4711; replay once it is closed.', 'ada', now() from generate_series(1, 9) n;

insert into operation (kind, arguments, command, requested_by, requested_from, requested_at, counted, state, started_at, ended_at, outcome)
select 'replay', '{"filter": {"stage": "finalizer"}}', 'dead-letters replay --stage finalizer --canary', 'ada', 'console', at, 20, 'done', at,
    at, '20 of 20 dead letters sent: 20 resolved, 0 failed again, 0 pending'
from scale, generate_series(1, 2000) n, lateral (select now() - (2000 - n) * (make_interval(days => days) / 2000) as at) s;
insert into operation_step (operation_id, at, step) select id, requested_at, 'step ' || n
from (select * from operation order by id desc limit 100) o, generate_series(1, 20) n;
insert into replay (requested_at, requested_by, filter, active_until, ended_at, ending, operation_id)
select requested_at, 'ada', '--stage finalizer', requested_at, requested_at, 'all sent', id from operation;
-- The newest is of all of them that were handled; the others are of twenty.
insert into replay_letter (replay_id, letter_id, state, outcome, outcome_at, build)
select r.id, d.id, 'removed', case when d.id % 20 = 0 then 'returned-same' else 'done' end, r.ended_at, '0.1.0'
from (select * from replay order by id desc limit 1) r, dead_letter d where d.state = 'cured'
union all
select r.id, d.id, 'removed', 'done', r.ended_at, '0.1.0'
from (select * from replay order by id desc limit 100 offset 1) r, (select id from dead_letter where state = 'cured' limit 20) d;

insert into event (day, fingerprint, level, stage, code, pull_id, chunk, message, trace, build, host, count, first_at, last_at)
select (at at time zone 'UTC')::date, md5(n::text), case when n % 20 = 0 then 'ERROR' else 'WARN' end,
    (array['extractor', 'game-enricher', 'channel-enricher', 'finalizer'])[1 + n % 4], 'helix.server_error', case when n % 2 = 0 then 1 + n % pulls end,
    case when n % 2 = 0 then 1 + n % chunks end, 'Twitch answered 503 (Service Unavailable) to the request to /games, attempt ' || n, null, '0.1.0',
    'node-' || n % 5, 1 + n % 7, at, at + interval '30 s'
from scale, generate_series(1, events) n, lateral (select now() - interval '1 min' - n * (make_interval(days => days) / events) as at) s;
insert into alarm (at, queue, kind, detail)
select now() - n * interval '1 h', 'finalizer.dead', 'growth', '120 more within ten minutes, 100000 in all' from generate_series(1, 500) n;
insert into steering (at, by, action, stage, reason) select now() - n * interval '1 h', 'ada', 'run-once', 'finalizer', null from generate_series(1, 500) n;

drop table scale, recent;
