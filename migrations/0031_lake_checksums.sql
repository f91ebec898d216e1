-- Every file of the lake has its SHA-256 here, those of closed days too: whether a file still holds what was written can be told of all.
--
-- Beside DuckLake's tables, because its specification has no place for it. A row comes with its file's, in the same transaction, and
-- leaves with it.
create table lake.checksum (
    data_file_id bigint primary key references lake.ducklake_data_file on delete cascade,
    -- Hexadecimal, of the whole file.
    sha256       text not null
);
comment on table lake.checksum is 'the SHA-256 of each file of the lake; a file of an older build gets its own when it is verified first';

-- Files of one pull alone had theirs with the pull.
insert into lake.checksum
select distinct on (f.data_file_id) f.data_file_id, e.sha256
from lake.ducklake_data_file f join lake.export e on e.path = f.path and e.sha256 is not null
order by f.data_file_id;

-- The rights on the schema's tables are granted once more, so that they are on this one too.
select grant_lake_roles();

-- Builds of before register files without it, and remove those that have one.
insert into schema_promise values (31, 22);
