-- A dead letter is first a row, then a message: the worker that gives a message up writes the row in the transaction that
-- notes the failure, then publishes the message to its dead-letter queue. Before this migration a finalizer wrote the rows,
-- from copies that the broker put into the queue `dead-letters.ledger`.

-- Since when the dead-letter queue is known to have the message: null from the record until the broker has confirmed it. A
-- dead letter that is not confirmed cannot be missing from its queue. Rows of before were copied from there.
alter table dead_letter add column queued_at timestamptz default '-infinity';
alter table dead_letter alter column queued_at drop default;

-- The last comparison of queue and table that found it, named by the time when it began.
alter table dead_letter add column seen_at timestamptz;

comment on table dead_letter is
    'one row per dead letter, whether it is open (dead, held, replaying) or not; its message is in its queue while it is open';
comment on column dead_letter.state is
    'dead: open. held: open, and commands for groups pass it over. replaying: is being sent back. replayed: its message is on '
    'its way again. cured: its message was handled. discarded: kept here only. vanished: it is no longer in its queue';
comment on column dead_letter.queued_at is
    'since when its queue is known to have it; null until the broker has confirmed the message';

-- Alarms, metrics and comparisons count the open ones every ten seconds, without reading the bodies.
drop index dead_letter_open;
create index dead_letter_open on dead_letter (queue, id) include (state, last_failed_at, queued_at)
    where state in ('dead', 'held', 'replaying');

-- The roles' rights once more, with those that recording dead letters needs.
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
end $$;

do $$
begin
    execute format('alter function grant_roles() set search_path = %I, pg_temp', current_schema());
end $$;

select grant_roles();

-- Builds of the schemas before go on working.
insert into schema_promise values (15, 10);
