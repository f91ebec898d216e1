-- A system in trouble: a failed pull, missed slots, a paused stage, messages that are retried, 100,000 dead letters of 50 causes.
set client_min_messages = warning;

insert into pull (status, slot, requested_by, started_at, completed_at, stop_reason, error)
values ('failed', date_trunc('minute', now() - interval '3 minutes'), 'schedule', now() - interval '3 minutes', now() - interval '1 minute',
    'error', 'chunk 12 at channel-enricher: Twitch rejected the request to /users (400)');
insert into missed_slot (slot, reason, recorded_at)
select date_trunc('minute', now()) - n * interval '10 minutes', 'overlap: pull 2 is still filling-channels', now()
from generate_series(1, 5) n;
insert into worker_state (stage, replica, build, host, state, code, reason, since, in_hand, seen_at)
values ('channel-enricher', 'channel-enricher-7f9c', '0.1.0', 'node-3', 'paused', 'helix.forbidden',
    'Twitch refuses our credentials (401): is TWITCH_CLIENT_SECRET right?', now() - interval '12 minutes', 64, now() + interval '1 hour');
insert into stage_retry (stage, message_id, pull_id, chunk, attempts, code, message, first_failed_at, last_failed_at, retry_at)
select 'game-enricher', 'm' || n, 2, n, 4, 'helix.server_error', 'Twitch answered 503 (Service Unavailable) to the request to /games',
    now() - interval '14 minutes', now() - interval '1 minute', now() + interval '4 minutes'
from generate_series(1, 12) n;

insert into dead_letter (letter, queue, stage, class, code, message, causes, fingerprint, attempts, first_failed_at, last_failed_at,
    build, host, generation, message_id, kind, pull_id, chunk, properties, body, state, state_at)
select 'letter ' || n, stage || '.dead', stage, 'permanent', 'helix.bad_request',
    'Twitch rejected the request to /users (400): <b>cause</b> ' || n % 50, 'the id "' || n || '" is no number', md5((n % 50)::text)::char(16), 6,
    now() - interval '2 hours', now() - n * interval '40 milliseconds', '0.1.0', 'node-3', n % 3, 'message ' || n, 'GamesFilled', 2, 1 + n % 25,
    '{"content_type": "application/json", "headers": {"flow-attempt": 6}}', '{"pull_id": 2, "chunk": 1}',
    case when n % 500 = 0 then 'held' else 'dead' end, now()
from generate_series(1, 100000) n,
    lateral (select (array['game-enricher', 'channel-enricher', 'finalizer'])[1 + n % 50 % 3] as stage) s;
insert into dead_letter_event (letter_id, at, by, event, detail) select id, last_failed_at, 'channel-enricher', 'failed', code from dead_letter;
insert into dead_letter_note (fingerprint, owner, note, by, at)
values (md5('7')::char(16), 'ada', 'Waits for Twitch ticket 4711; replay once it is closed.', 'ada', now());
analyze dead_letter;
