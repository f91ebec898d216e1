-- The lake: completed pulls as Parquet files, and the catalogue that says which files there are.
--
-- The tables ducklake_… are the catalogue of DuckLake 1.0 (https://ducklake.select/docs/stable/specification/introduction),
-- column by column: DuckDB and others read the lake through them. Because they are here, a pull enters the lake in the
-- transaction that marks it as exported. One program writes them, under one advisory lock; everybody else
-- reads. They and the tables after them are filled by the exporter and stay empty where none is deployed.

create schema lake;

create table lake.ducklake_column (
    column_id bigint, begin_snapshot bigint, end_snapshot bigint, table_id bigint, column_order bigint,
    column_name varchar, column_type varchar, initial_default varchar, default_value varchar, nulls_allowed boolean,
    parent_column bigint, default_value_type varchar, default_value_dialect varchar
);
create table lake.ducklake_column_mapping (
    mapping_id bigint, table_id bigint, type varchar
);
create table lake.ducklake_column_tag (
    table_id bigint, column_id bigint, begin_snapshot bigint, end_snapshot bigint, key varchar, value varchar
);
create table lake.ducklake_data_file (
    data_file_id bigint primary key, table_id bigint, begin_snapshot bigint, end_snapshot bigint, file_order bigint,
    path varchar, path_is_relative boolean, file_format varchar, record_count bigint, file_size_bytes bigint,
    footer_size bigint, row_id_start bigint, partition_id bigint, encryption_key varchar, mapping_id bigint,
    partial_max bigint
);
create table lake.ducklake_delete_file (
    delete_file_id bigint primary key, table_id bigint, begin_snapshot bigint, end_snapshot bigint, data_file_id bigint,
    path varchar, path_is_relative boolean, format varchar, delete_count bigint, file_size_bytes bigint,
    footer_size bigint, encryption_key varchar, partial_max bigint
);
create table lake.ducklake_file_column_stats (
    data_file_id bigint, table_id bigint, column_id bigint, column_size_bytes bigint, value_count bigint,
    null_count bigint, min_value varchar, max_value varchar, contains_nan boolean, extra_stats varchar
);
create table lake.ducklake_file_partition_value (
    data_file_id bigint, table_id bigint, partition_key_index bigint, partition_value varchar
);
create table lake.ducklake_file_variant_stats (
    data_file_id bigint, table_id bigint, column_id bigint, variant_path varchar, shredded_type varchar,
    column_size_bytes bigint, value_count bigint, null_count bigint, min_value varchar, max_value varchar,
    contains_nan boolean, extra_stats varchar
);
create table lake.ducklake_files_scheduled_for_deletion (
    data_file_id bigint, path varchar, path_is_relative boolean, schedule_start timestamptz
);
create table lake.ducklake_inlined_data_tables (
    table_id bigint, table_name varchar, schema_version bigint
);
create table lake.ducklake_macro (
    schema_id bigint, macro_id bigint, macro_name varchar, begin_snapshot bigint, end_snapshot bigint
);
create table lake.ducklake_macro_impl (
    macro_id bigint, impl_id bigint, dialect varchar, sql varchar, type varchar
);
create table lake.ducklake_macro_parameters (
    macro_id bigint, impl_id bigint, column_id bigint, parameter_name varchar, parameter_type varchar,
    default_value varchar, default_value_type varchar
);
create table lake.ducklake_metadata (
    key varchar not null, value varchar not null, scope varchar, scope_id bigint
);
create table lake.ducklake_name_mapping (
    mapping_id bigint, column_id bigint, source_name varchar, target_field_id bigint, parent_column bigint,
    is_partition boolean
);
create table lake.ducklake_partition_column (
    partition_id bigint, table_id bigint, partition_key_index bigint, column_id bigint, transform varchar
);
create table lake.ducklake_partition_info (
    partition_id bigint, table_id bigint, begin_snapshot bigint, end_snapshot bigint
);
create table lake.ducklake_schema (
    schema_id bigint primary key, schema_uuid uuid, begin_snapshot bigint, end_snapshot bigint, schema_name varchar,
    path varchar, path_is_relative boolean
);
create table lake.ducklake_schema_versions (
    begin_snapshot bigint, schema_version bigint, table_id bigint
);
create table lake.ducklake_snapshot (
    snapshot_id bigint primary key, snapshot_time timestamptz, schema_version bigint, next_catalog_id bigint,
    next_file_id bigint
);
create table lake.ducklake_snapshot_changes (
    snapshot_id bigint primary key, changes_made varchar, author varchar, commit_message varchar,
    commit_extra_info varchar
);
create table lake.ducklake_sort_expression (
    sort_id bigint, table_id bigint, sort_key_index bigint, expression varchar, dialect varchar, sort_direction varchar,
    null_order varchar
);
create table lake.ducklake_sort_info (
    sort_id bigint, table_id bigint, begin_snapshot bigint, end_snapshot bigint
);
create table lake.ducklake_table (
    table_id bigint, table_uuid uuid, begin_snapshot bigint, end_snapshot bigint, schema_id bigint, table_name varchar,
    path varchar, path_is_relative boolean
);
create table lake.ducklake_table_column_stats (
    table_id bigint, column_id bigint, contains_null boolean, contains_nan boolean, min_value varchar, max_value varchar,
    extra_stats varchar
);
create table lake.ducklake_table_stats (
    table_id bigint, record_count bigint, next_row_id bigint, file_size_bytes bigint
);
create table lake.ducklake_tag (
    object_id bigint, begin_snapshot bigint, end_snapshot bigint, key varchar, value varchar
);
create table lake.ducklake_view (
    view_id bigint, view_uuid uuid, begin_snapshot bigint, end_snapshot bigint, schema_id bigint, view_name varchar,
    dialect varchar, sql varchar, column_aliases varchar
);

-- Files are looked up by table, by the snapshot in which they ended, and by path.
create index on lake.ducklake_data_file (table_id, begin_snapshot) where end_snapshot is null;
create index on lake.ducklake_data_file (end_snapshot) where end_snapshot is not null;
create index on lake.ducklake_data_file (path);
create index on lake.ducklake_file_column_stats (data_file_id);
create index on lake.ducklake_snapshot (snapshot_time);

-- An empty catalogue. Where its files are is noted by the exporter, which alone knows.
insert into lake.ducklake_metadata (key, value) values ('version', '1.0'), ('created_by', 'twitch'), ('encrypted', 'false');
insert into lake.ducklake_snapshot values (0, now(), 0, 1, 0);
insert into lake.ducklake_snapshot_changes (snapshot_id, changes_made) values (0, 'created_schema:"main"');
insert into lake.ducklake_schema values (0, gen_random_uuid(), 0, null, 'main', '', true);

-- What DuckLake does not know: which pull is in which file. One row per pull and table, so that no pull is in the lake twice;
-- once its day is compacted, path is that of the day's file, and sha256 and size are null.
create table lake.export (
    pull_id         bigint not null,
    table_name      text not null,
    -- The UTC day in which the pull was started: the folder.
    day             date not null,
    -- When the pull had come to its end: another time is another content.
    completed_at    timestamptz not null,
    path            text not null,
    sha256          text,
    file_size_bytes bigint,
    record_count    bigint not null,
    exported_at     timestamptz not null,
    primary key (pull_id, table_name)
);
create index on lake.export (day, table_name);
comment on table lake.export is 'which pull is in which file of the lake: one row per pull and table';

-- The manifest of each folder, in Redshift's form; written to the storage after the commit that changed it.
create table lake.manifest (
    folder     text primary key,
    content    text not null,
    written    boolean not null default false
);
comment on table lake.manifest is 'the _manifest.json of each folder of the lake';

-- What a person asks of the exporter, which alone has the storage's credentials.
create table lake.request (
    id           bigint generated always as identity primary key,
    action       text not null check (action in ('export', 'compact', 'verify', 'expire')),
    arguments    jsonb not null default '{}',
    requested_by text not null,
    requested_at timestamptz not null,
    started_at   timestamptz,
    finished_at  timestamptz,
    result       jsonb,
    error        text
);
create index on lake.request (id) where finished_at is null;
comment on table lake.request is 'what a person asks of the exporter, and what came of it';

-- The rights: the exporter writes here and reads pulls, people who read, read. A function of its own beside
-- grant_roles(), to be called after it where roles are made later.
create function grant_lake_roles() returns void language plpgsql set search_path from current as $$
begin
    if to_regrole('twitch_lake') is null then
        begin
            create role twitch_lake;
        exception
            when duplicate_object or unique_violation then null;
            when insufficient_privilege then null;
        end;
    end if;
    if to_regrole('twitch_lake') is null or to_regrole('twitch_reader') is null or to_regrole('twitch_operator') is null then
        raise warning 'no rights on the lake are granted: % may not create the role twitch_lake; create it as somebody who may, '
            'then "select grant_lake_roles()" as the owner of the tables', current_user;
        return;
    end if;

    execute format('grant usage on schema %I to twitch_lake', current_schema());
    grant usage on schema lake to twitch_lake, twitch_reader, twitch_operator;
    grant select on all tables in schema lake to twitch_reader, twitch_operator;
    grant select, insert, update, delete on all tables in schema lake to twitch_lake;
    grant insert on lake.request to twitch_operator;

    -- What is exported, and the schema's version.
    grant select on _sqlx_migrations, pull, pull_chunk, pull_data to twitch_lake;
    -- Its dead letters, what became of replays, and how it is doing, as every worker.
    grant select, insert, update on dead_letter to twitch_lake;
    grant insert on dead_letter_event to twitch_lake;
    grant select, update on replay_letter to twitch_lake;
    grant select, insert, update, delete on worker_state, stage_retry to twitch_lake;
end $$;

do $$
begin
    execute format('alter function grant_lake_roles() set search_path = %I, pg_temp', current_schema());
end $$;
revoke execute on function grant_lake_roles() from public;
select grant_lake_roles();

-- Builds of schema 16 go on working: nothing of theirs is changed.
insert into schema_promise values (18, 16);
