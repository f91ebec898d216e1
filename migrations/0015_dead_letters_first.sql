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

-- The rights for it come with the next migration, which makes all grants once more.

-- Builds of the schemas before go on working.
insert into schema_promise values (15, 10);
