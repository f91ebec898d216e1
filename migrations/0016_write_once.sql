-- Each row is written once.
--
-- The extractor used to write a stream's typed columns, and the finalizer to write the row over, with its document. Both cost
-- more than all else together. Now a validated page is stored on its chunk and nowhere else, and its rows in pull_data
-- are written when the chunk is merged, whole. Until then the views show what the chunk holds, also of pulls that fail.
--
--   pull_chunk.page         the validated page, as JSON text: it is read back whole, so PostgreSQL need not take it apart
--   pull_chunk.page_jsonb   the same of chunks that were stored before this migration; null in later ones
--   pull_data               written by the finalizer alone; rows without `data` are of pulls from before this migration

alter table pull_chunk rename column page to page_jsonb;
alter table pull_chunk alter column page_jsonb drop not null;
alter table pull_chunk add column page json;
comment on column pull_chunk.page is
    'the validated records of the page that the pull did not have yet, in its order; of older chunks they are in page_jsonb';

-- Calls to Helix are booked where they are made for: the extractor's on its pull, whose row it writes anyway, the enrichers' on
-- the chunk that they fill. pull.helix_calls is the sum of all once the pull is closed, and chunk_calls that part of it that
-- was summed from the chunks, so that closing a pull again does not count them twice.
alter table pull_chunk add column helix_calls integer not null default 0;
alter table pull add column chunk_calls integer not null default 0;

-- A foreign key makes each new row lock the one it refers to. Here that is the one row of the pull under way, locked for every
-- chunk and every channel, and it doubled what they cost. Nothing deletes pulls, and a chunk names its pull by the
-- statement that moves that pull on. Games are few; theirs stays.
alter table pull_chunk drop constraint pull_chunk_pull_id_pulled_at_fkey;
alter table twitch_channel drop constraint twitch_channel_first_pull_id_fkey;

-- Half of each block is left free, so that a channel whose facts are the same gets its new time in the block it is in,
-- without touching an index. It counts for blocks that are written from now on.
alter table twitch_channel set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

-- Fits a partition to how it is written. A chunk is updated by each stage: its ids move out of its row, which is then small,
-- and leaves room for its successors. pull_data is only added to.
create function fit_partition(partition regclass) returns void language plpgsql as $$
begin
    if starts_with(partition::text, 'pull_chunk') then
        execute format('alter table %s set (fillfactor = 40, toast_tuple_target = 256)', partition);
    end if;
end $$;

-- LZ4 compresses a page five times as fast as the default; not every server is built with it.
do $$
declare
    part regclass;
begin
    for part in select 'pull_chunk'::regclass union all select inhrelid from pg_inherits where inhparent = 'pull_chunk'::regclass loop
        begin
            execute format('alter table %s alter column page set compression lz4', part);
        exception when feature_not_supported then
            raise notice 'this server has no lz4: pages are compressed with pglz';
            exit;
        end;
    end loop;
    for part in select inhrelid from pg_inherits where inhparent = 'pull_chunk'::regclass loop
        perform fit_partition(part);
    end loop;
end $$;

-- As before, but for the fit, and without the foreign key: attaching no longer waits for anybody who writes to `pull`.
create or replace function ensure_partitions(at timestamptz) returns void language plpgsql security definer
    set search_path from current as $$
declare
    day timestamp := date_trunc('day', at at time zone 'UTC');
    suffix text := to_char(day, '_YYYYMMDD');
    parent text;
    partition text;
begin
    -- Nearly always; it locks nothing.
    if to_regclass(format('%I.%I', current_schema(), 'pull_chunk' || suffix)) is not null
       and to_regclass(format('%I.%I', current_schema(), 'pull_data' || suffix)) is not null then
        return;
    end if;
    -- Whoever holds this makes the same partitions: worth waiting for.
    perform set_config('lock_timeout', '30s', true);
    perform pg_advisory_xact_lock(hashtext('ensure_partitions'));
    perform set_config('lock_timeout', '1s', true);
    foreach parent in array array['pull_data', 'pull_chunk'] loop
        partition := parent || suffix;
        begin
            execute format('create table %I.%I (like %I including all)', current_schema(), partition, parent);
        exception when duplicate_table then
            continue;
        end;
        perform fit_partition(format('%I.%I', current_schema(), partition)::regclass);
        execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, partition,
            day at time zone 'UTC', (day + interval '1 day') at time zone 'UTC');
    end loop;
end $$;

do $$
begin
    -- What runs with its owner's rights must find nothing that its caller has put in the way.
    execute format('alter function ensure_partitions(timestamptz) set search_path = %I, pg_temp', current_schema());
    execute format('alter function fit_partition(regclass) set search_path = %I, pg_temp', current_schema());
end $$;
revoke execute on function fit_partition(regclass) from public;

drop view pull_document;
drop view legacy_pull_data;

-- Every stored stream with its columns, merged or not: those of pull_data, and until a chunk is merged the records that it
-- holds. A chunk that is merged once more keeps its rows meanwhile, and shows only what has entered since.
create view pull_stream as
select d.pull_id, d.pulled_at, d.stream_id, d.chunk, d.channel_id, d.channel_login, d.channel_name, d.game_id, d.game_name,
       d.viewer_count, d.language, d.started_at, d.type, d.title, d.tags, d.is_mature,
       coalesce(d.data, page.record) as data, d.data is not null as merged
from pull_data d
left join lateral (
    select record
    from pull_chunk c, jsonb_array_elements(c.page_jsonb) record
    where d.data is null and c.pull_id = d.pull_id and c.pulled_at = d.pulled_at and c.chunk = d.chunk
      and record->>'id' = d.stream_id
) page on true
union all
select c.pull_id, c.pulled_at, r.id, c.chunk, r.user_id, r.user_login, r.user_name, nullif(r.game_id, ''), r.game_name,
       r.viewer_count, r.language, r.started_at, r.type, r.title, r.tags, r.is_mature, record::jsonb, false
from pull_chunk c, json_array_elements(c.page) record, json_to_record(record) as r (
    id text, user_id text, user_login text, user_name text, game_id text, game_name text, viewer_count int, language text,
    started_at timestamptz, type text, title text, tags text[], is_mature bool)
where c.merged_at is null and not exists (
    select from pull_data d where d.pull_id = c.pull_id and d.pulled_at = c.pulled_at and d.stream_id = r.id);

-- Every stored stream with its PullData document: the merged one, or until then the stream's own fields.
create view pull_document as
select pull_id, pulled_at, chunk, stream_id, data, merged from pull_stream;

-- For those who come from the NiFi flow: one row a chunk, `data` as the old flow wrote it, ids as numbers. What is not
-- filled yet is null; `box_art_url` is not there at all until then.
create view legacy_pull_data as
select c.pull_id, c.chunk, c.pulled_at,
       json_build_object('_total', c.stored, 'streams', coalesce(streams.list, '[]'::json)) as data
from pull_chunk c
left join lateral (
    select json_agg(stream order by place) as list
    from (
        select place, (
            jsonb_build_object(
                '_id', (r->>'id')::numeric,
                'game_id', nullif(r->>'game_id', '')::numeric,
                'game', game->>'name',
                'delay', 0,
                'viewers', (r->>'viewer_count')::int,
                'created_at', r->>'started_at',
                'stream_type', r->>'type',
                'broadcast_platform', r->>'type',
                'channel', jsonb_build_object(
                    '_id', (r->>'user_id')::numeric,
                    'status', r->>'title',
                    'language', r->>'language',
                    'broadcaster_language', r->>'language',
                    'name', channel->>'login',
                    'display_name', channel->>'display_name',
                    'url', 'https://www.twitch.tv/' || (channel->>'login'),
                    'logo', channel->>'profile_image_url',
                    'video_banner', channel->>'offline_image_url',
                    'views', (channel->>'view_count')::bigint,
                    'broadcaster_type', coalesce(channel->>'broadcaster_type', ''),
                    'partner', channel->>'broadcaster_type' = 'partner',
                    'description', channel->>'description',
                    'game', game->>'name',
                    'mature', (r->>'is_mature')::boolean,
                    'created_at', channel->>'created_at',
                    'updated_at', to_char(coalesce(c.merged_at, c.stored_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                    'followers', null,
                    'profile_banner', null,
                    'private_video', false,
                    'privacy_options_enabled', 'false',
                    'broadcaster_software', ''))
            || case when game is null then '{}'::jsonb else jsonb_build_object('box_art_url', game->>'box_art_url') end
        ) as stream
        from json_array_elements(coalesce(c.page, c.page_jsonb::json)) with ordinality as page (r, place)
        left join pull_data d on d.pull_id = c.pull_id and d.pulled_at = c.pulled_at and d.stream_id = r->>'id'
        cross join lateral (select nullif(d.data->'game', 'null') as game, nullif(d.data->'channel', 'null') as channel) filled
    ) filled_page
) streams on true;

-- The roles' rights once more, as in 0014; what this migration changes is at the end. The views were made anew, so
-- their readers are named again.
create or replace function grant_roles() returns void language plpgsql set search_path from current as $$
declare
    program text;
    missing text[] := '{}';
begin
    foreach program in array array['extractor', 'game_enricher', 'channel_enricher', 'finalizer', 'operator', 'reader'] loop
        if to_regrole('twitch_' || program) is null then
            begin
                execute format('create role %I', 'twitch_' || program);
            exception
                -- Somebody who migrates another database of the cluster was faster.
                when duplicate_object or unique_violation then null;
                when insufficient_privilege then missing := missing || ('twitch_' || program);
            end;
        end if;
    end loop;
    if missing <> '{}' then
        raise warning 'no rights are granted: % may not create the roles %; create them as somebody who may, then '
            '"select grant_roles()" as the owner of the tables', current_user, array_to_string(missing, ', ');
        return;
    end if;

    execute format('grant usage on schema %I to twitch_extractor, twitch_game_enricher, twitch_channel_enricher,
        twitch_finalizer, twitch_operator, twitch_reader', current_schema());

    -- What is there, for whoever asks.
    grant select on pull, missed_slot, pull_chunk, pull_data, pull_document, rejected_record, rejected_by_rule,
        legacy_pull_data, twitch_game, twitch_channel, missing_game, missing_channel
        to twitch_reader, twitch_operator;

    -- The schema's version, and the pull that each of them works on.
    grant select on _sqlx_migrations, pull, pull_chunk
        to twitch_extractor, twitch_game_enricher, twitch_channel_enricher, twitch_finalizer, twitch_operator;
    -- Each may have to give a pull up.
    grant update (status, completed_at, error, stop_reason) on pull
        to twitch_extractor, twitch_game_enricher, twitch_channel_enricher, twitch_finalizer;
    grant update (failed_stage, failed_at, failure) on pull_chunk
        to twitch_game_enricher, twitch_channel_enricher, twitch_finalizer;
    -- The app token, sealed, for those that call Twitch.
    grant select, insert, update on helix_token to twitch_extractor, twitch_game_enricher, twitch_channel_enricher;

    -- The extractor starts pulls, or says why not, and stores pages.
    grant execute on function ensure_partitions(timestamptz) to twitch_extractor, twitch_operator;
    grant insert (slot, requested_by, started_at) on pull to twitch_extractor, twitch_operator;
    grant select, insert on missed_slot to twitch_extractor;
    grant update (extractor, extractor_until, extracted_at, cursor, last_viewers, idle_pages, pages, chunks, fetched, stored,
        rejected, duplicates, nul_replaced, helix_calls) on pull to twitch_extractor;
    grant insert on pull_chunk to twitch_extractor;
    grant select (stream_id), insert on pull_data to twitch_extractor;

    -- An enricher asks for what is not known, keeps the answer, and says that a chunk has all it needs.
    grant select, insert, update, delete on helix_claim to twitch_game_enricher, twitch_channel_enricher;
    grant update (helix_calls) on pull to twitch_game_enricher, twitch_channel_enricher;
    grant select, insert, update on twitch_game to twitch_game_enricher;
    grant select, insert, update, delete on missing_game to twitch_game_enricher;
    grant update (games_at) on pull_chunk to twitch_game_enricher;
    grant select, insert, update on twitch_channel to twitch_channel_enricher;
    grant select, insert, update, delete on missing_channel to twitch_channel_enricher;
    grant update (channels_at) on pull_chunk to twitch_channel_enricher;

    -- The finalizer merges, closes, watches over what has stalled, and raises alarms about dead letters.
    grant select on twitch_game, twitch_channel to twitch_finalizer;
    grant select, insert, update (data) on pull_data to twitch_finalizer;
    grant update (merged_at, games_missing, channels_filled, channels_missing) on pull_chunk to twitch_finalizer;
    grant update (games_added, games_missing, channels_filled, channels_missing, build, rescues, rescued_at) on pull
        to twitch_finalizer;
    grant select, delete on helix_claim to twitch_finalizer;
    grant select, insert, update on alarm_watch to twitch_finalizer;
    grant insert on alarm to twitch_finalizer;

    -- Every worker records the dead letters that it makes, and what became of replays.
    grant select, insert, update on dead_letter
        to twitch_extractor, twitch_game_enricher, twitch_channel_enricher, twitch_finalizer, twitch_operator;
    grant insert on dead_letter_event
        to twitch_extractor, twitch_game_enricher, twitch_channel_enricher, twitch_finalizer, twitch_operator;
    grant select, update on replay_letter
        to twitch_extractor, twitch_game_enricher, twitch_channel_enricher, twitch_finalizer, twitch_operator;
    -- The extractor finishes replays that were cut short, as the finalizers of builds before this schema do.
    grant select on dead_letter_event to twitch_extractor, twitch_finalizer, twitch_operator;
    grant select, update on replay to twitch_extractor, twitch_finalizer, twitch_operator;
    grant delete on replay_letter to twitch_extractor, twitch_finalizer, twitch_operator;
    grant select on dead_letter_depth, alarm to twitch_finalizer, twitch_operator;

    -- A person replays dead letters, notes what is known of them, lets rejected records in, and makes pulls again.
    grant insert on replay, replay_letter to twitch_operator;
    grant select, insert, update on dead_letter_note to twitch_operator;
    grant insert on pull_data to twitch_operator;
    grant update (status, completed_at, error, stored, rejected, duplicates, nul_replaced, games_added, games_missing,
        channels_filled, channels_missing, rescues, rescued_at) on pull to twitch_operator;
    grant update (page, rejects, rejected_by_rule, game_ids, channel_ids, stored, rejected, duplicates, games_at,
        channels_at, merged_at, games_missing, channels_filled, channels_missing, failed_stage, failed_at, failure)
        on pull_chunk to twitch_operator;
    grant select on pull_rerun to twitch_reader;
    grant select, insert on pull_rerun to twitch_operator;

    -- Every worker tells how it is doing, and people read it; the finalizer's watch fails no pull that waits for a paused stage.
    grant select, insert, update, delete on worker_state, stage_retry
        to twitch_extractor, twitch_game_enricher, twitch_channel_enricher, twitch_finalizer;
    grant select on worker_state, stage_retry to twitch_reader, twitch_operator;

    -- The finalizer makes partitions ahead too, locks the claims that it sweeps out, and fills a name that Twitch left empty.
    grant execute on function ensure_partitions(timestamptz) to twitch_finalizer;
    grant update (expires_at) on helix_claim to twitch_finalizer;
    grant update (channel_login, channel_name) on pull_data to twitch_finalizer;

    -- 0016, write once: pages are stored on their chunks alone, and calls are booked there; pull_data is the finalizer's.
    revoke insert, select on pull_data from twitch_extractor;
    revoke select (stream_id) on pull_data from twitch_extractor;
    revoke insert on pull_data from twitch_operator;
    revoke update (helix_calls) on pull from twitch_game_enricher, twitch_channel_enricher;
    revoke select, insert, update, delete on helix_claim from twitch_channel_enricher;
    grant update (helix_calls) on pull_chunk to twitch_game_enricher, twitch_channel_enricher;
    grant update (helix_calls, chunk_calls) on pull to twitch_finalizer;
    grant update (page_jsonb) on pull_chunk to twitch_operator;
    grant select on pull_stream, pull_document, legacy_pull_data to twitch_reader, twitch_operator;
end $$;

do $$
begin
    execute format('alter function grant_roles() set search_path = %I, pg_temp', current_schema());
end $$;

select grant_roles();

-- Builds of the schemas before write rows that this one expects on the chunk, and do not find those that are there: they
-- cannot work here. Pulls that they have begun are finished by this build.
