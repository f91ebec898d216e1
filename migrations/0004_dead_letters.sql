-- Dead letters, as a table: seen at any number, searched by SQL, replayed with a memory.
--
-- The letter itself stays in its queue in RabbitMQ; this is its index and its history. Every letter that reaches a
-- dead-letter queue, whoever put it there, is copied to the queue `dead-letters.ledger` and lands here; a finalizer
-- compares the two and mends what drifted.

create table dead_letter (
    -- What a person calls it.
    id              bigint generated always as identity primary key,
    -- The letter's own name, in its header `flow-letter` or made from what it carries: the same work that dies twice
    -- before anybody looks is one letter.
    letter          text not null unique,
    -- The queue it lies in.
    queue           text not null,
    stage           text not null,
    class           text not null,
    code            text not null,
    message         text not null,
    causes          text not null,
    -- Failures that differ only in numbers, ids, times and quoted words share it.
    fingerprint     text not null,
    attempts        integer not null,
    first_failed_at timestamptz not null,
    last_failed_at  timestamptz not null,
    build           text not null,
    host            text not null,
    -- How many replays its message had behind it.
    generation      integer not null,
    message_id      text not null,
    kind            text not null,
    pull_id         bigint,
    chunk           integer,
    -- Properties and headers, for a look, and to bring back a letter that was discarded or comes from elsewhere.
    properties      jsonb not null,
    body            bytea not null,

    -- dead: lies in its queue. held: lies there, and group commands pass it over. replaying: is being sent back.
    -- replayed: its message is on its way again. cured: its message was handled. discarded: kept here only.
    -- vanished: somebody else's tool took it.
    state           text not null default 'dead'
                    check (state in ('dead', 'held', 'replaying', 'replayed', 'cured', 'discarded', 'vanished')),
    state_at        timestamptz not null,
    -- Held until a build of at least this version is seen; null holds it until somebody releases it.
    held_until      text,
    -- The letter whose replay came back as this one.
    replay_of       bigint references dead_letter (id),
    -- Copies of it that were found in the queue beyond the first.
    copies          integer not null default 0
);
create index dead_letter_open on dead_letter (queue, id) where state in ('dead', 'held', 'replaying');
create index dead_letter_group on dead_letter (fingerprint, id);
create index dead_letter_pull on dead_letter (pull_id, id) where pull_id is not null;

-- What happened to a letter, in order.
create table dead_letter_event (
    letter_id bigint not null references dead_letter (id),
    at        timestamptz not null,
    -- Who did it: a person, or the program that noticed.
    by        text not null,
    event     text not null,
    detail    text not null default ''
);
create index dead_letter_event_letter on dead_letter_event (letter_id, at);

-- What people know about a group.
create table dead_letter_note (
    fingerprint text primary key,
    owner       text not null default '',
    note        text not null,
    by          text not null,
    at          timestamptz not null
);

-- One command that sent letters back.
create table replay (
    id           bigint generated always as identity primary key,
    requested_at timestamptz not null,
    requested_by text not null,
    -- The command's filter, as it was given.
    filter       text not null,
    -- The stage it was sent to; null is each letter's own.
    target       text,
    -- Somebody is at it until then. One that is past this and not ended was interrupted, and is finished by others.
    active_until timestamptz not null,
    ended_at     timestamptz,
    -- How it ended: all sent, stopped by its canary, ...
    ending       text
);

create table replay_letter (
    replay_id  bigint not null references replay (id),
    letter_id  bigint not null references dead_letter (id),
    -- planned: chosen. sending: about to be published, so after a crash it may be out or not. sent: the broker has the
    -- fresh message. removed: and the letter is out of its queue.
    state      text not null default 'planned' check (state in ('planned', 'sending', 'sent', 'removed')),
    -- done: handled. returned-same, returned-different: dead again, for the same cause or another.
    outcome    text check (outcome in ('done', 'returned-same', 'returned-different')),
    outcome_at timestamptz,
    -- The build that handled it, or failed it again.
    build      text,
    primary key (replay_id, letter_id)
);
create index replay_letter_letter on replay_letter (letter_id);

-- What an alarm reads: how many letters lie in each queue, and since when.
create view dead_letter_depth as
select queue, count(*) as letters, count(*) filter (where state = 'held') as held, min(last_failed_at) as oldest
from dead_letter where state in ('dead', 'held', 'replaying') group by queue;
