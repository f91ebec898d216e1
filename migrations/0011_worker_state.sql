-- How each running worker is doing, and what waits to be tried again: what a person who waits is told without a log.
--
-- A worker writes its row when its state changes and every few seconds; a row that was not seen for a minute is of a process
-- that is gone or frozen. A worker that cannot reach this database cannot say so here: whoever asks notices that by itself.
create table worker_state (
    stage    text not null,
    -- A name that no other process has.
    replica  text not null,
    build    text not null,
    host     text not null,
    state    text not null check (state in ('consuming', 'paused', 'half-open', 'draining')),
    -- Why it is paused: the code of the failure, and its words. Null in the other states.
    code     text,
    reason   text,
    -- Since when it is in this state, by the worker's clock; while paused or half-open, since when it is paused.
    since    timestamptz not null,
    -- Messages in its hand: they are in no queue's count.
    in_hand  integer not null check (in_hand >= 0),
    seen_at  timestamptz not null,
    primary key (stage, replica),
    constraint a_pause_has_a_reason check ((state in ('paused', 'half-open')) = (reason is not null and code is not null))
);

-- Messages that failed and wait on a retry rung, or are being tried again. The row goes when the message is settled.
create table stage_retry (
    stage           text not null,
    message_id      text not null,
    -- What the message is about, where its body says so.
    pull_id         bigint,
    chunk           integer,
    -- Attempts that failed.
    attempts        integer not null,
    code            text not null,
    -- The latest failure in words.
    message         text not null,
    first_failed_at timestamptz not null,
    last_failed_at  timestamptz not null,
    -- When it comes back from its rung.
    retry_at        timestamptz not null,
    primary key (stage, message_id)
);

-- Builds before this one know nothing of these tables, and go on working beside them.
insert into schema_promise values (11, 10);
