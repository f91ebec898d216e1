# shellcheck shell=bash
# A private PostgreSQL in $DIR/postgres. Sourced by deploy/services.
#
#   data/          the cluster          server.conf   port and settings, rewritten at every start
#   run/           unix socket          password      the superuser's, for initdb
#   port, process  what the last start chose

PG_USER=twitch # superuser of the private cluster
PG_DATABASE=twitch

pg_home() { printf '%s' "$DIR/postgres"; }
pg_log() { printf '%s' "$DIR/log/postgres.log"; }

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
  mkdir -p "$home/run"
  [ -s "$home/password" ] || random_hex 24 >"$home/password"
  own "$user" "$home" "$home/run" "$home/password"
}

# Into a folder beside, then renamed: an interrupted initdb leaves nothing that looks like data.
pg_create_cluster() {
  local user=$1 bin=$2 home
  home=$(pg_home)
  [ ! -f "$home/data/PG_VERSION" ] || return 0
  rm -rf "$home/data" "$home/data.new"
  (cd "$home" && as_user "$user" env -i PATH=/usr/bin:/bin LANG=C.UTF-8 "$bin/initdb" --pgdata="$home/data.new" \
    --username="$PG_USER" --pwfile="$home/password" --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 \
    --no-sync) >>"$(pg_log)" 2>&1 || {
    show_tail "$(pg_log)"
    die "initdb failed"
  }
  printf "include '../server.conf'\n" >>"$home/data.new/postgresql.conf"
  mv "$home/data.new" "$home/data"
}

pg_write_conf() {
  local port=$1
  {
    echo "# Written by deploy/services at every start."
    echo "listen_addresses = '127.0.0.1'"
    echo "port = $port"
    echo "unix_socket_directories = '$(pg_socket_dir)'"
    echo "unix_socket_permissions = 0777" # the password decides, as it does over TCP
    echo "max_connections = 200"
    # Survives no power cut, and no test needs that.
    [ -z "$FAST" ] || printf '%s = off\n' fsync synchronous_commit full_page_writes
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

pg_write_access() {
  local port=$1 password
  password=$(<"$(pg_home)/password")
  printf '127.0.0.1:%s:*:%s:%s\n' "$port" "$PG_USER" "$password" >"$DIR/pgpass"
  printf 'postgresql://%s:%s@127.0.0.1:%s/%s' "$PG_USER" "$password" "$port" "$PG_DATABASE" >"$DIR/database-url"
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

pg_start() {
  local user bin port
  user=$(server_user postgres)
  bin=$(pg_bin)
  if pg_running >/dev/null; then return 0; fi
  pg_clear_crash
  pg_prepare "$user"
  pg_create_cluster "$user" "$bin"
  port=$(stored_port "$(pg_home)/port")
  pg_write_conf "$port"
  pg_write_access "$port"
  pg_launch "$user" "$bin"
  wait_ready PostgreSQL "$(pg_home)/process" "$(pg_log)" "$DEADLINE" pg_answers "$bin" "$port" || return
  pg_create_database
}

# SIGINT is PostgreSQL's "fast": roll back, checkpoint, leave. SIGQUIT leaves without the checkpoint and recovers next time.
pg_stop() {
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
