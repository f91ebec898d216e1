# shellcheck shell=bash
# A private PostgreSQL, with or without a standby. Sourced by deploy/services.
#
# $DIR/postgres and $DIR/postgres-2 are the two servers there may be; SERVER says which one is meant. Each holds
#   data/          the cluster          server.conf   port and settings, rewritten at every start
#   run/           unix socket          pgpass        with which a standby logs in to its primary
#   port, process  what the last start chose
# The first one also holds the superuser's password. $DIR/primary names the server that is written to, and $DIR/standby the
# other, where there is one.

PG_USER=twitch # superuser of the private cluster
PG_DATABASE=twitch
SERVER=

pg_primary() { if [ -s "$DIR/primary" ]; then printf '%s' "$(<"$DIR/primary")"; else printf postgres; fi; }
pg_has_standby() { [ -s "$DIR/standby" ]; }
pg_servers() {
  pg_primary
  ! pg_has_standby || printf '\n%s' "$(<"$DIR/standby")"
}

pg_home() { printf '%s' "$DIR/${SERVER:-$(pg_primary)}"; }
pg_log() { printf '%s' "$DIR/log/${SERVER:-$(pg_primary)}.log"; }
pg_password() { printf '%s' "$(<"$DIR/postgres/password")"; }

# pg_bin - the programs of the version that made the data, or of the newest one installed
pg_bin() {
  local version='' bin
  local data
  data=$(pg_home)/data
  [ ! -f "$data/PG_VERSION" ] || version=$(<"$data/PG_VERSION")
  if [ -n "$version" ]; then
    bin=/usr/lib/postgresql/$version/bin
    [ -x "$bin/postgres" ] || die "$data was made by PostgreSQL $version, which is not installed" \
      "Install postgresql-$version, or throw the data away: deploy/services destroy $DIR"
  else
    bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    [ -x "$bin/postgres" ] || die "PostgreSQL is not installed" "apt-get install postgresql"
  fi
  printf '%s' "$bin"
}

# The socket's path has a hard limit of 107 bytes; TCP is enough without it.
pg_socket_dir() {
  local dir
  dir=$(pg_home)/run
  [ ${#dir} -gt 85 ] || printf '%s' "$dir"
}

pg_prepare() {
  local user=$1 home
  home=$(pg_home)
  mkdir -p "$home/run" "$DIR/postgres"
  [ -s "$DIR/postgres/password" ] || random_hex 24 >"$DIR/postgres/password"
  own "$user" "$home" "$home/run" "$DIR/postgres" "$DIR/postgres/password"
}

# Into a folder beside, then renamed: an interrupted initdb leaves nothing that looks like data.
pg_create_cluster() {
  local user=$1 bin=$2 home
  home=$(pg_home)
  [ ! -f "$home/data/PG_VERSION" ] || return 0
  rm -rf "$home/data" "$home/data.new"
  (cd "$home" && as_user "$user" env -i PATH=/usr/bin:/bin LANG=C.UTF-8 "$bin/initdb" --pgdata="$home/data.new" \
    --username="$PG_USER" --pwfile="$DIR/postgres/password" --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 \
    --no-sync) >>"$(pg_log)" 2>&1 || {
    show_tail "$(pg_log)"
    die "initdb failed"
  }
  printf "include '../server.conf'\n" >>"$home/data.new/postgresql.conf"
  mv "$home/data.new" "$home/data"
}

pg_write_conf() {
  local port=$1 primary
  primary=$DIR/$(pg_primary)
  {
    echo "# Written by deploy/services at every start."
    echo "listen_addresses = '127.0.0.1'"
    echo "port = $port"
    echo "unix_socket_directories = '$(pg_socket_dir)'"
    echo "unix_socket_permissions = 0777" # the password decides, as it does over TCP
    echo "max_connections = 200"
    # Survives no power cut, and no test needs that.
    [ -z "$FAST" ] || printf '%s = off\n' fsync synchronous_commit full_page_writes
    if [ "$(pg_home)" != "$primary" ]; then
      echo "primary_conninfo = 'host=127.0.0.1 port=$(<"$primary/port") user=$PG_USER passfile=$(pg_home)/pgpass application_name=standby'"
    elif pg_has_standby && [ -f "$DIR/$(<"$DIR/standby")/data/PG_VERSION" ]; then
      # A commit is done when the standby has it on disk as well: what a client was told survives the loss of either server.
      echo "synchronous_standby_names = 'standby'"
      echo "wal_keep_size = 1GB"
    fi
  } >"$(pg_home)/server.conf"
  chmod 644 "$(pg_home)/server.conf"
}

pg_launch() {
  local user=$1 bin=$2 home
  home=$(pg_home)
  (close_inherited && cd "$home/data" && as_user "$user" setsid env -i PATH=/usr/bin:/bin LANG=C.UTF-8 "$bin/postgres" -D "$home/data") \
    </dev/null >>"$(pg_log)" 2>&1 &
  remember_process "$home/process" $!
}

pg_psql() { PGPASSFILE=$DIR/pgpass "$(pg_bin)/psql" -X -h 127.0.0.1 -p "$(<"$(pg_home)/port")" -U "$PG_USER" "$@"; }

# Clients are told of both servers, as libpq has it, and take the one that can be written to.
pg_write_access() {
  local query=''
  printf '127.0.0.1:*:*:%s:%s\n' "$PG_USER" "$(pg_password)" >"$DIR/pgpass"
  if pg_has_standby; then query='?target_session_attrs=read-write'; fi
  printf 'postgresql://%s:%s@%s/%s%s' "$PG_USER" "$(pg_password)" "$(pg_addresses)" "$PG_DATABASE" "$query" >"$DIR/database-url"
}

pg_create_database() {
  [ "$(pg_psql -d postgres -Atqc "select 1 from pg_database where datname = '$PG_DATABASE'")" = 1 ] ||
    pg_psql -d postgres -qc "create database $PG_DATABASE"
}

# After a crash. Backends outlive a killed postmaster for a moment, and the next one must not start beside them. When none is
# left, the pid in its lock files means nothing, but PostgreSQL believes it while that pid exists, as a zombie or as somebody
# else. So we write one that cannot exist, and leave PostgreSQL its other check (shared memory still in use) and its clean-up.
pg_clear_crash() {
  local home
  home=$(pg_home)
  kill_leftovers "$home" postgres
  [ ! -s "$home/data/postmaster.pid" ] || sed -i '1s/.*/999999999/' "$home/data/postmaster.pid"
  rm -f "$home"/run/.s.PGSQL.*
}

pg_running() { running_process "$(pg_home)/process"; }

pg_answers() {
  "$1/pg_isready" -q -h 127.0.0.1 -p "$2" && pg_psql -d postgres -Atqc 'select 1' >/dev/null 2>&1
}

# pg_start_server - the one that SERVER means, which has its data
pg_start_server() {
  local user bin port
  user=$(server_user postgres)
  bin=$(pg_bin)
  if pg_running >/dev/null; then return 0; fi
  pg_clear_crash
  pg_prepare "$user"
  [ "$(pg_home)" != "$DIR/$(pg_primary)" ] || pg_create_cluster "$user" "$bin"
  port=$(stored_port "$(pg_home)/port")
  pg_write_conf "$port"
  pg_write_access
  pg_launch "$user" "$bin"
  wait_ready "PostgreSQL ($(basename "$(pg_home)"))" "$(pg_home)/process" "$(pg_log)" "$DEADLINE" pg_answers "$bin" "$port"
}

# pg_make_standby - a copy of the primary, under way to its data folder's name
pg_make_standby() {
  local user primary home
  user=$(server_user postgres)
  primary=$DIR/$(pg_primary)
  home=$(pg_home)
  [ ! -f "$home/data/PG_VERSION" ] || return 0
  pg_prepare "$user"
  cp "$DIR/pgpass" "$home/pgpass"
  own "$user" "$home/pgpass"
  rm -rf "$home/data" "$home/data.new"
  (SERVER=$(pg_primary) && cd "$home" && as_user "$user" env -i PATH=/usr/bin:/bin LANG=C.UTF-8 PGPASSFILE="$home/pgpass" \
    "$(pg_bin)/pg_basebackup" --host=127.0.0.1 --port="$(<"$primary/port")" --username="$PG_USER" --no-password \
    --pgdata="$home/data.new" --checkpoint=fast --wal-method=stream) >>"$(pg_log)" 2>&1 || {
    show_tail "$(pg_log)"
    die "the standby could not be copied from the primary"
  }
  touch "$home/data.new/standby.signal"
  own "$user" "$home/data.new/standby.signal"
  mv "$home/data.new" "$home/data"
}

pg_streams() {
  [ "$(SERVER='' && pg_psql -d postgres -Atqc "select count(*) from pg_stat_replication where state = 'streaming' and sync_state = 'sync'")" = 1 ]
}

# pg_start_standby - and only then does the primary wait for it with every commit
pg_start_standby() {
  SERVER=$(<"$DIR/standby")
  pg_make_standby
  cp "$DIR/pgpass" "$(pg_home)/pgpass" # the primary's port may be another
  own "$(server_user postgres)" "$(pg_home)/pgpass"
  try_start pg_start_server pg_stop_server "$(pg_log)" "$(pg_home)" || return
  SERVER=$(pg_primary)
  pg_write_conf "$(<"$(pg_home)/port")"
  kill -HUP "$(pg_running)"
  pg_write_access
  wait_ready "the standby" "$DIR/$(<"$DIR/standby")/process" "$DIR/log/$(<"$DIR/standby").log" "$DEADLINE" pg_streams
}

pg_start() {
  SERVER=$(pg_primary)
  try_start pg_start_server pg_stop_server "$(pg_log)" "$(pg_home)" || return
  pg_create_database || return
  if pg_has_standby; then pg_start_standby; fi
}

# pg_want_standby - the server that is not the primary; what it has from a time when it was one is thrown away
pg_want_standby() {
  local standby
  if pg_has_standby; then return 0; fi
  if [ "$(pg_primary)" = postgres ]; then standby=postgres-2; else standby=postgres; fi
  rm -rf "$DIR/$standby/data"
  printf '%s' "$standby" >"$DIR/standby"
}

# pg_promote - the primary dies between two instructions, and the standby takes its place. The old one is not started again: it
# may hold what the new one never saw.
pg_promote() {
  local standby
  pg_has_standby || die "there is no standby in $DIR" "deploy/services start --standby $DIR"
  standby=$(<"$DIR/standby")
  SERVER=$standby
  pg_running >/dev/null || die "the standby does not run" "deploy/services start $DIR"
  SERVER=$(pg_primary)
  pg_kill_server
  SERVER=$standby
  [ "$(pg_psql -d postgres -Atqc 'select pg_promote()')" = t ] || die "PostgreSQL would not promote the standby"
  printf '%s' "$standby" >"$DIR/primary"
  rm -f "$DIR/standby"
}

# SIGINT is PostgreSQL's "fast": roll back, checkpoint, leave. SIGQUIT leaves without the checkpoint and recovers next time.
pg_stop_server() {
  local pid signal
  if pid=$(pg_running); then
    for signal in INT QUIT KILL; do
      kill -s "$signal" "$pid" 2>/dev/null || true
      if wait_gone "$pid" 10; then break; fi
    done
  fi
  kill_leftovers "$(pg_home)" postgres
  rm -f "$(pg_home)/process"
}

# pg_kill_server - between two instructions
pg_kill_server() {
  local pid
  if pid=$(pg_running); then kill -KILL "$pid" 2>/dev/null || true; fi
  kill_leftovers "$(pg_home)" postgres
  rm -f "$(pg_home)/process"
}

# pg_stop - the primary first: it leaves when the standby has everything
pg_stop() {
  local server
  for server in $(pg_servers); do (SERVER=$server && pg_stop_server); done
}

# pg_addresses - of the servers there are by now
pg_addresses() {
  local server ports=()
  for server in $(pg_servers); do [ ! -s "$DIR/$server/port" ] || ports+=("$(<"$DIR/$server/port")"); done
  hosts "${ports[@]}"
}
