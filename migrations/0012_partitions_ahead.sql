-- Partitions are made days ahead, by whoever comes first, and everybody else finds them there.
--
-- `ensure_partitions` makes the partitions of one day, so that each day is a short transaction of its own. What it used to
-- do wrong was to look before it locked: an advisory lock brings no news of what others have committed meanwhile, so of
-- eight who came at once seven still saw nothing and failed with "already exists". Now nothing is looked at between the
-- lock and `create table`, which takes the news in by itself; a table that is there by then is not an error.
--
-- Attaching takes SHARE UPDATE EXCLUSIVE on the parent, which hinders neither readers nor writers, and for the foreign key
-- of `pull_chunk` SHARE ROW EXCLUSIVE on `pull`, which waits for whoever is writing there and makes the next writers wait:
-- so `pull_chunk` comes last, and gives up soon. The next call tries again, days before anybody needs the partition.
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
        execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, partition,
            day at time zone 'UTC', (day + interval '1 day') at time zone 'UTC');
    end loop;
end $$;

do $$
begin
    -- What runs with its owner's rights must find nothing that its caller has put in the way.
    execute format('alter function ensure_partitions(timestamptz) set search_path = %I, pg_temp', current_schema());
end $$;

-- Older builds call it with every pull, for the day of that pull, and get what they need.
insert into schema_promise values (12, 10);
