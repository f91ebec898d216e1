begin;
create temp table "stage_pull" (like "twitch"."pull");
copy "stage_pull" from 's3://bucket/lake/pull/day=2026-11-23/_manifest.json'
iam_role 'arn:aws:iam::123456789012:role/lake'
format parquet manifest serializetojson;
create temp table "stage_stream_peek" (like "twitch"."stream_peek");
copy "stage_stream_peek" from 's3://bucket/lake/stream_peek/day=2026-11-23/_manifest.json'
iam_role 'arn:aws:iam::123456789012:role/lake'
format parquet manifest serializetojson;
create temp table "stage_game" (like "twitch"."game");
copy "stage_game" from 's3://bucket/lake/game/day=2026-11-23/_manifest.json'
iam_role 'arn:aws:iam::123456789012:role/lake'
format parquet manifest serializetojson;
create temp table "stage_channel" (like "twitch"."channel");
copy "stage_channel" from 's3://bucket/lake/channel/day=2026-11-23/_manifest.json'
iam_role 'arn:aws:iam::123456789012:role/lake'
format parquet manifest serializetojson;
delete from "twitch"."pull" using "stage_pull" where "twitch"."pull"."pull_id" = "stage_pull"."pull_id";
delete from "twitch"."stream_peek" using "stage_pull" where "twitch"."stream_peek"."pull_id" = "stage_pull"."pull_id";
delete from "twitch"."game" using "stage_pull" where "twitch"."game"."pull_id" = "stage_pull"."pull_id";
delete from "twitch"."channel" using "stage_pull" where "twitch"."channel"."pull_id" = "stage_pull"."pull_id";
insert into "twitch"."pull" select * from "stage_pull";
insert into "twitch"."stream_peek" select * from "stage_stream_peek";
insert into "twitch"."game" select * from "stage_game";
insert into "twitch"."channel" select * from "stage_channel";
drop table "stage_pull";
drop table "stage_stream_peek";
drop table "stage_game";
drop table "stage_channel";
commit;
